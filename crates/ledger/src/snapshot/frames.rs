//! Frames: pieces of a snapshot that are checked one by one, so that a reader needs the memory of one.

use std::io::{ErrorKind, Read, Write};

use primitives::hash::{Hash, Hasher};

use super::SnapshotError;

/// Bytes of a frame at most: a row of a block is bounded far below.
const FRAME_BYTES_MAX: u32 = 64 << 20;
/// Bytes that a compressed frame unpacks to at most.
const CONTENT_BYTES_MAX: usize = 256 << 20;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Manifest = 0,
    State = 1,
    Blocks = 2,
    End = 3,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Manifest, Self::State, Self::Blocks, Self::End]
            .into_iter()
            .find(|it| *it as u8 == byte)
    }
}

fn hash_of(kind: u8, content: &[u8]) -> Hash {
    let length = content.len() as u32;
    Hash::of_domain("gridtally/frame/v1", &[&[kind], &length.to_le_bytes(), content])
}

/// Writes frames and ends with a hash over all of theirs.
pub struct FrameWriter<W> {
    out: W,
    all: Hasher,
}

impl<W: Write> FrameWriter<W> {
    pub fn new(out: W) -> Self {
        Self { out, all: Hasher::with_domain("gridtally/frames/v1") }
    }

    pub fn put(&mut self, kind: Kind, content: &[u8]) -> Result<(), SnapshotError> {
        let hash = hash_of(kind as u8, content);
        self.all.update(hash.as_bytes());
        self.out.write_all(&[kind as u8])?;
        self.out.write_all(&(content.len() as u32).to_le_bytes())?;
        self.out.write_all(hash.as_bytes())?;
        Ok(self.out.write_all(content)?)
    }

    /// The same with content that is worth compressing.
    pub fn put_packed(&mut self, kind: Kind, content: &[u8]) -> Result<(), SnapshotError> {
        self.put(kind, &lz4_flex::compress_prepend_size(content))
    }

    /// Writes the end and gives back what was written to.
    pub fn finish(mut self) -> Result<W, SnapshotError> {
        let all = std::mem::take(&mut self.all).finish();
        self.put(Kind::End, all.as_bytes())?;
        Ok(self.out)
    }
}

/// Reads frames and compares every hash.
pub struct FrameReader<R> {
    input: R,
    all: Hasher,
    is_over: bool,
}

impl<R: Read> FrameReader<R> {
    pub fn new(input: R) -> Self {
        Self { input, all: Hasher::with_domain("gridtally/frames/v1"), is_over: false }
    }

    /// The next frame; `None` behind the last, which the end then confirms.
    pub fn take(&mut self) -> Result<Option<(Kind, Vec<u8>)>, SnapshotError> {
        if self.is_over {
            return Ok(None);
        }
        let mut head = [0; 37];
        self.fill(&mut head)?;
        let damaged = SnapshotError::Damaged { what: "a part of it" };
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        let Some(kind) = Kind::of(head[0]).filter(|_| length <= FRAME_BYTES_MAX) else {
            return Err(damaged);
        };
        // The length was not checked yet: memory follows what is really there.
        let mut content = Vec::new();
        Read::take(&mut self.input, u64::from(length)).read_to_end(&mut content)?;
        if content.len() < length as usize {
            return Err(SnapshotError::Truncated);
        }
        let hash = hash_of(head[0], &content);
        if hash.as_bytes()[..] != head[5..] {
            return Err(damaged);
        }
        if kind == Kind::End {
            self.is_over = true;
            let all = std::mem::take(&mut self.all).finish();
            let mut more = [0];
            if all.as_bytes()[..] != content[..] || self.input.read(&mut more)? != 0 {
                return Err(SnapshotError::Damaged { what: "its end" });
            }
            return Ok(None);
        }
        self.all.update(hash.as_bytes());
        Ok(Some((kind, content)))
    }

    /// Reads frames until the end without looking into them.
    pub fn skip_to_end(&mut self) -> Result<(), SnapshotError> {
        while self.take()?.is_some() {}
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), SnapshotError> {
        self.input.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => SnapshotError::Truncated,
            _ => error.into(),
        })
    }
}

/// What was put packed.
pub fn unpacked(content: &[u8]) -> Result<Vec<u8>, SnapshotError> {
    let damaged = SnapshotError::Damaged { what: "a compressed part of it" };
    let Ok((size, packed)) = lz4_flex::block::uncompressed_size(content) else {
        return Err(damaged);
    };
    // LZ4 packs at best 255 to 1: nobody asks for memory with a number alone.
    if size > CONTENT_BYTES_MAX || size > packed.len().saturating_mul(255).saturating_add(64) {
        return Err(damaged);
    }
    let unpacked = lz4_flex::decompress(packed, size).map_err(|_| damaged);
    unpacked.and_then(|it| {
        let whole = it.len() == size;
        if whole { Ok(it) } else { Err(SnapshotError::Damaged { what: "a compressed part of it" }) }
    })
}
