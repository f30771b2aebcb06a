use std::rc::Rc;

use crate::entropy::{Entropy, EntropyUnavailable, Token};

/// The owner of a lock: the token that its keys hold.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Owner {
    token: Rc<[u8]>,
    /// The bits of a drawn token.
    drawn: Option<Token>,
}

impl Owner {
    /// What the lock keys hold: the token, and the claim of this lock (its owner id) if other locks may use the token.
    pub(super) fn value(&self, owner_id: &[u8]) -> Rc<[u8]> {
        if self.is_used_once() {
            Rc::clone(&self.token)
        } else {
            [&self.token, b" ".as_slice(), owner_id].concat().into()
        }
    }

    /// An owner with the application's own token.
    pub(crate) fn with(token: &[u8]) -> Self {
        Self { token: token.into(), drawn: None }
    }

    /// An owner with a drawn token, prefixed with the client's label if there is one.
    pub(crate) fn draw(label: &str, entropy: &mut dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let drawn = Token::mint(entropy)?;
        let hex = drawn.to_hex();
        let token = if label.is_empty() {
            hex.as_slice().into()
        } else {
            [label.as_bytes(), b"/", &hex].concat().into()
        };
        Ok(Self { token, drawn: Some(drawn) })
    }

    pub(crate) const fn token(&self) -> &Rc<[u8]> {
        &self.token
    }

    /// The token, if it was drawn.
    pub(crate) const fn drawn(&self) -> Option<Token> {
        self.drawn
    }

    /// Whether only one lock ever uses the token. The application may use its own token for several locks, one after
    /// the other; claims then keep a stale command of one lock from affecting the next (rule 4).
    pub(crate) const fn is_used_once(&self) -> bool {
        self.drawn.is_some()
    }

    /// An owner with a new token, for further attempts. `None` if the application chose the token, or without
    /// randomness.
    pub(crate) fn redrawn(&self, label: &str, entropy: &mut dyn Entropy) -> Option<Self> {
        Self::draw(label, entropy).ok().filter(|_| self.drawn.is_some())
    }
}
