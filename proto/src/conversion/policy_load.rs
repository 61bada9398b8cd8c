//! Policy loads.

use model::PolicyLoad;

use super::Noun;
use crate::{DecodeError, v1};

impl Noun for PolicyLoad {
    type Wire = v1::PolicyLoad;

    fn to_wire(&self) -> v1::PolicyLoad {
        let file =
            |(name, text): &(String, String)| v1::PolicyFile { name: name.clone(), text: text.clone() };
        v1::PolicyLoad { files: self.files.iter().map(file).collect(), origin: self.origin.clone() }
    }

    fn from_wire(wire: v1::PolicyLoad) -> Result<Self, DecodeError> {
        let files = wire.files.into_iter().map(|file| (file.name, file.text)).collect();
        Ok(Self { files, origin: wire.origin })
    }
}
