//! Label bytes of all series, each set once.

/// Large enough that the share of a chunk wasted at its end is small, small enough that growth never copies
/// what is there (doubling one vector cost 290 MB extra at a million series).
const CHUNK_BYTES: usize = 1 << 20;

/// Below this, garbage is not worth moving.
const GARBAGE_BYTES_MIN: usize = 4 << 20;

/// Where a series' label bytes stand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LabelRef {
    chunk: u32,
    from: u32,
    to: u32,
}

#[derive(Debug, Default)]
pub(super) struct Arena {
    chunks: Vec<Vec<u8>>,
    used_bytes: usize,
    garbage_bytes: usize,
}

impl Arena {
    pub(super) fn add(&mut self, bytes: &[u8]) -> LabelRef {
        let has_room = self.chunks.last().is_some_and(|it| it.len() + bytes.len() <= it.capacity());
        if !has_room {
            self.chunks.push(Vec::with_capacity(CHUNK_BYTES.max(bytes.len())));
        }
        let chunk = self.chunks.len() - 1;
        let from = self.chunks[chunk].len();
        self.chunks[chunk].extend_from_slice(bytes);
        self.used_bytes += bytes.len();
        LabelRef { chunk: chunk as u32, from: from as u32, to: (from + bytes.len()) as u32 }
    }

    pub(super) fn get(&self, at: LabelRef) -> &[u8] {
        self.chunks.get(at.chunk as usize).map_or(&[], |chunk| &chunk[at.from as usize..at.to as usize])
    }

    /// Says that the bytes at `at` are needed no longer.
    pub(super) fn forget(&mut self, at: LabelRef) {
        self.garbage_bytes += (at.to - at.from) as usize;
    }

    /// Whether copying what is left into a new arena would give back most of this one.
    pub(super) fn is_mostly_garbage(&self) -> bool {
        self.garbage_bytes > GARBAGE_BYTES_MIN && self.garbage_bytes > self.used_bytes / 2
    }
}
