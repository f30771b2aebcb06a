use std::rc::Rc;

use crate::entropy::{Entropy, EntropyUnavailable, Token};

/// The owner of a lock: the token that is written into the keys.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Owner {
    token: Rc<[u8]>,
    /// The token's bits, if it was drawn here.
    drawn: Option<Token>,
}

impl Owner {
    /// An owner with the application's own token, or with a token that is drawn.
    pub(crate) fn new(token: Option<&[u8]>, entropy: &mut dyn Entropy) -> Result<Self, EntropyUnavailable> {
        match token {
            Some(token) => Ok(Self { token: token.into(), drawn: None }),
            None => {
                Token::mint(entropy).map(|drawn| Self { token: drawn.to_hex().into(), drawn: Some(drawn) })
            }
        }
    }

    pub(crate) const fn token(&self) -> &Rc<[u8]> {
        &self.token
    }

    /// The token for the application, unless that brought it.
    pub(crate) const fn drawn(&self) -> Option<Token> {
        self.drawn
    }

    /// Whether only one lock ever uses the token. The application may use its own token for several locks, one after the
    /// other: then commands that run late must be told apart by claims.
    pub(crate) const fn is_used_once(&self) -> bool {
        self.drawn.is_some()
    }

    /// Another owner to ask with from now on. `None` where the application chose the token, or without randomness.
    pub(crate) fn redrawn(&self, entropy: &mut dyn Entropy) -> Option<Self> {
        Self::new(None, entropy).ok().filter(|_| self.drawn.is_some())
    }
}
