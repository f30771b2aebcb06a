use super::{Frame, Limits, Reply, Scanner, decode};

/// The string that is the value of `key` in a map, or in an array of keys and values as RESP2 has it. `None` if there is
/// none. Anything else in the frame may have any type.
pub(crate) fn value_of<'a>(frame: Frame<'a>, key: &[u8]) -> Option<&'a [u8]> {
    let is_pairs = frame.bytes.first().is_some_and(|kind| b"%*".contains(kind));
    let header = frame.bytes.iter().position(|&byte| byte == b'\n').filter(|_| is_pairs)?;
    let mut rest = frame.bytes.get(header.saturating_add(1)..)?;
    let mut scanner = Scanner::new(Limits::default());
    scanner.push(rest);
    let mut is_key = true;
    let mut is_found = false;
    loop {
        let Frame { bytes, shape } = scanner.next_frame().ok()??;
        let (element, after) = rest.split_at_checked(bytes.len())?;
        rest = after;
        match decode(Frame { bytes: element, shape }) {
            Ok(Reply::Bulk(text) | Reply::Simple(text)) if is_found => return Some(text),
            Ok(Reply::Bulk(text) | Reply::Simple(text)) if is_key => is_found = text == key,
            _ if is_found => return None,
            _ => {}
        }
        is_key = !is_key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The role; "none" if there is none.
    fn role(reply: &str) -> String {
        let mut scanner = Scanner::new(Limits::default());
        scanner.push(reply.as_bytes());
        let frame = scanner.next_frame().unwrap().unwrap();
        let role = value_of(frame, b"role").unwrap_or(b"none");
        String::from_utf8(role.to_vec()).unwrap()
    }

    #[test]
    fn a_role_is_found_in_maps_and_arrays_whatever_stands_beside_it() {
        assert_eq!(role("%2\r\n$5\r\nproto\r\n:3\r\n$4\r\nrole\r\n$7\r\nreplica\r\n"), "replica");
        assert_eq!(role("*4\r\n$4\r\nmode\r\n$8\r\ncluster_\r\n+role\r\n+slave\r\n"), "slave");
        let modules = "%2\r\n+modules\r\n*1\r\n%1\r\n+role\r\n+fake\r\n+role\r\n+master\r\n";
        assert_eq!(role(modules), "master");
    }

    #[test]
    fn without_a_role_there_is_none() {
        for reply in [
            "%0\r\n",
            "+role\r\n",
            "%1\r\n+server\r\n+role\r\n",
            "%1\r\n+role\r\n:1\r\n",
            "*1\r\n+role\r\n",
            "*-1\r\n",
        ] {
            assert_eq!(role(reply), "none", "{reply:?}");
        }
    }
}
