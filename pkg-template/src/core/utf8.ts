const encoder = new TextEncoder();

/**
 * Encodes UTF-8, with three bytes for each lone surrogate (generalised UTF-8). TextEncoder turns all of them into U+FFFD,
 * but distinct names must stay distinct keys.
 */
export function encode(text: string): Uint8Array {
  return text.isWellFormed() ? encoder.encode(text) : encodeLoneSurrogates(text);
}

function encodeLoneSurrogates(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    if (point >= 0xd800 && point <= 0xdfff) {
      bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    } else {
      for (const byte of encoder.encode(character)) bytes.push(byte);
    }
  }
  return Uint8Array.from(bytes);
}
