//! What a Linux program says of itself in its ELF headers: for which processor it is, and which glibc it needs.
//!
//! Read as the dynamic loader reads it: by the program headers and the dynamic section, because section headers may have
//! been taken away. Every offset comes from the file, so each is checked before it is followed.

const MAGIC: &[u8] = b"\x7fELF";
const CLASS_64: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;
const MACHINE_X86_64: u16 = 62;
const MACHINE_AARCH64: u16 = 183;
const SEGMENT_LOAD: u32 = 1;
const SEGMENT_DYNAMIC: u32 = 2;
const SEGMENT_BYTES: usize = 56;
const DYNAMIC_BYTES: usize = 16;
const DYNAMIC_END: u64 = 0;
const DYNAMIC_STRINGS: u64 = 5;
const DYNAMIC_NEEDS: u64 = 0x6fff_fffe;
/// No program needs more libraries, or more versions of one.
const MAX_NEEDS: usize = 1024;

/// The processors that workers are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Intel and AMD, 64 bits.
    X86_64,
    /// ARM, 64 bits.
    Aarch64,
}

impl Architecture {
    /// As `uname -m` names it, and what other systems call it.
    pub fn of_machine(name: &str) -> Option<Self> {
        match name {
            "x86_64" | "amd64" => Some(Self::X86_64),
            "aarch64" | "arm64" => Some(Self::Aarch64),
            _ => None,
        }
    }
}

impl std::fmt::Display for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        })
    }
}

/// What keeps a file from being a worker's program; reads on from the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ElfProblem {
    /// Another kind of file.
    #[error("is no Linux program")]
    NotElf,
    /// Another processor.
    #[error("is for another processor than x86_64 and aarch64")]
    Machine,
    /// It ends too early, or points beyond itself.
    #[error("is a damaged program")]
    Damaged,
}

/// The processor, and the newest glibc version whose symbols are needed: `None` for a static program, or for musl.
pub(super) fn read(bytes: &[u8]) -> Result<(Architecture, Option<(u32, u32)>), ElfProblem> {
    if !bytes.starts_with(MAGIC) {
        return Err(ElfProblem::NotElf);
    }
    if bytes.get(4) != Some(&CLASS_64) || bytes.get(5) != Some(&LITTLE_ENDIAN) {
        return Err(ElfProblem::Machine);
    }
    let file = File(bytes);
    let architecture = match file.half(18).ok_or(ElfProblem::Damaged)? {
        MACHINE_X86_64 => Architecture::X86_64,
        MACHINE_AARCH64 => Architecture::Aarch64,
        _ => return Err(ElfProblem::Machine),
    };
    Ok((architecture, file.glibc().ok_or(ElfProblem::Damaged)?))
}

struct File<'a>(&'a [u8]);

/// A part of the file that is mapped to memory: from where to where, and where it is in the file.
struct Segment {
    kind: u32,
    offset: usize,
    address: u64,
    length: usize,
}

impl File<'_> {
    /// `None` outside when the file is damaged, inside when it needs no glibc.
    fn glibc(&self) -> Option<Option<(u32, u32)>> {
        let segments = self.segments()?;
        let Some(dynamic) = segments.iter().find(|segment| segment.kind == SEGMENT_DYNAMIC) else {
            return Some(None);
        };
        let (mut strings, mut needs) = (None, None);
        for entry in 0..dynamic.length / DYNAMIC_BYTES {
            let at = dynamic.offset.checked_add(entry * DYNAMIC_BYTES)?;
            match self.long(at)? {
                DYNAMIC_END => break,
                DYNAMIC_STRINGS => strings = Some(self.long(at + 8)?),
                DYNAMIC_NEEDS => needs = Some(self.long(at + 8)?),
                _ => {}
            }
        }
        let (Some(strings), Some(needs)) = (strings, needs) else { return Some(None) };
        self.newest_glibc(in_file(&segments, needs)?, in_file(&segments, strings)?)
    }

    fn segments(&self) -> Option<Vec<Segment>> {
        let (start, size, count) = (self.long(32)?, self.half(54)?, self.half(56)?);
        if usize::from(size) != SEGMENT_BYTES {
            return None;
        }
        let segment = |number: usize| {
            let at = usize::try_from(start).ok()?.checked_add(number * SEGMENT_BYTES)?;
            Some(Segment {
                kind: self.word(at)?,
                offset: usize::try_from(self.long(at + 8)?).ok()?,
                address: self.long(at + 16)?,
                length: usize::try_from(self.long(at + 32)?).ok()?,
            })
        };
        (0..usize::from(count)).map(segment).collect()
    }

    /// Walks the list of needed libraries, and of each the list of needed versions.
    fn newest_glibc(&self, mut library: usize, strings: usize) -> Option<Option<(u32, u32)>> {
        let mut newest = None;
        for _ in 0..MAX_NEEDS {
            let mut version = library.checked_add(self.word(library.checked_add(8)?)? as usize)?;
            for _ in 0..self.half(library.checked_add(2)?)?.min(MAX_NEEDS as u16) {
                let name = strings.checked_add(self.word(version.checked_add(8)?)? as usize)?;
                newest = newest.max(glibc_version(self.text(name)?));
                match self.word(version.checked_add(12)?)? {
                    0 => break,
                    next => version = version.checked_add(next as usize)?,
                }
            }
            match self.word(library.checked_add(12)?)? {
                0 => return Some(newest),
                next => library = library.checked_add(next as usize)?,
            }
        }
        None
    }

    fn text(&self, at: usize) -> Option<&[u8]> {
        self.0.get(at..)?.split(|byte| *byte == 0).next()
    }

    fn half(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.bytes(at)?))
    }

    fn word(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(at)?))
    }

    fn long(&self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(self.bytes(at)?))
    }

    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..at.checked_add(N)?)?.try_into().ok()
    }
}

/// Where in the file an address of memory is.
fn in_file(segments: &[Segment], address: u64) -> Option<usize> {
    let loaded = segments.iter().filter(|segment| segment.kind == SEGMENT_LOAD);
    let within = |segment: &Segment| {
        let offset = usize::try_from(address.checked_sub(segment.address)?).ok()?;
        (offset < segment.length).then(|| segment.offset.checked_add(offset))?
    };
    loaded.filter_map(within).next()
}

/// `GLIBC_2.34` and `GLIBC_2.2.5`, but not `GLIBC_PRIVATE`.
fn glibc_version(name: &[u8]) -> Option<(u32, u32)> {
    let mut numbers = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn this_program() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn this_very_program_is_understood() {
        let (architecture, glibc) = read(&this_program()).unwrap();
        assert_eq!(architecture.to_string(), std::env::consts::ARCH);
        assert_eq!(glibc.is_some(), cfg!(target_env = "gnu"));
        // `epoll_create1` is there since 2.9, and Rust's own library asks for more.
        assert!(glibc.is_none_or(|version| version >= (2, 9)), "{glibc:?}");
    }

    #[test]
    fn other_files_are_refused() {
        assert_eq!(read(b""), Err(ElfProblem::NotElf));
        assert_eq!(read(b"#!/bin/sh\n"), Err(ElfProblem::NotElf));
        assert_eq!(read(b"\xcf\xfa\xed\xfe a program of a Mac"), Err(ElfProblem::NotElf));
        assert_eq!(read(b"\x7fELF\x01\x01"), Err(ElfProblem::Machine));
        let mut program = this_program();
        assert_eq!(read(&program[..100]), Err(ElfProblem::Damaged));
        program[18] = 243;
        assert_eq!(read(&program), Err(ElfProblem::Machine), "RISC-V");
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(glibc_version(b"GLIBC_2.2.5"), Some((2, 2)));
        assert!(glibc_version(b"GLIBC_2.34") > glibc_version(b"GLIBC_2.9"));
        for other in [&b"GLIBC_PRIVATE"[..], b"GCC_3.0", b"GLIBC_2", b"", b"GLIBC_\xff.1"] {
            assert_eq!(glibc_version(other), None);
        }
    }

    proptest! {
        #[test]
        fn damaged_headers_are_refused_or_read_and_never_followed_astray(
            changes in prop::collection::vec((0usize..4096, any::<u8>()), 1..8), length in 64usize..200_000
        ) {
            let mut program = std::fs::read("/bin/sh").unwrap();
            program.truncate(length);
            for (at, byte) in changes {
                let last = program.len() - 1;
                program[at.min(last)] = byte;
            }
            let _ = read(&program);
        }

        #[test]
        fn random_headers_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = read(&[&[0x7f, b'E', b'L', b'F', 2, 1], &bytes[..]].concat());
        }
    }
}
