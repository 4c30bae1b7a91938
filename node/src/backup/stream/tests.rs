use std::io::Cursor;

use rand_core::UnwrapErr;

use super::*;

/// A wrapping key: a passphrase costs a quarter of a second each time.
fn wrapping(byte: u8) -> Seal {
    Seal::wrapping_key(Zeroizing::new([byte; 32]))
}

fn right() -> Seal {
    wrapping(1)
}

fn sealed(content: &[u8]) -> Vec<u8> {
    let mut rng = UnwrapErr(rand::rngs::SysRng);
    let mut writer = SealedWriter::begin(Vec::new(), &right(), &mut rng).unwrap();
    // In odd pieces, so that chunks do not end where writes do.
    for piece in content.chunks(10_007) {
        writer.write_all(piece).unwrap();
    }
    writer.finish().unwrap()
}

fn opened_with(file: &[u8], length: usize, with: &Seal) -> Result<Vec<u8>, BackupError> {
    let mut reader = SealedReader::begin(Cursor::new(file), with)?;
    let mut content = vec![0; length];
    if length == 0 {
        reader.next_chunk()?;
    }
    reader.read_exact(&mut content)?;
    if reader.is_at_end() {
        Ok(content)
    } else {
        Err(BackupError::Content("more"))
    }
}

fn opened(file: &[u8], length: usize) -> Result<Vec<u8>, BackupError> {
    opened_with(file, length, &right())
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index / 7) as u8).collect()
}

const SEALED_CHUNK: usize = CHUNK_BYTES + TAG_BYTES;
const HEADER: usize = 16 + 8 + 61 + 32 + 16 + 8;

#[test]
fn what_was_written_is_read_whatever_its_length() {
    for length in [
        0,
        1,
        CHUNK_BYTES - 1,
        CHUNK_BYTES,
        CHUNK_BYTES + 1,
        3 * CHUNK_BYTES,
        3 * CHUNK_BYTES + 5,
    ] {
        let file = sealed(&content(length));
        let chunks = length.div_ceil(CHUNK_BYTES).max(1);
        assert_eq!(file.len(), HEADER + length + chunks * TAG_BYTES, "{length}");
        assert_eq!(opened(&file, length).unwrap(), content(length), "{length}");
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let length = 2 * CHUNK_BYTES + 100;
    let file = sealed(&content(length));
    for cut in (0..file.len()).step_by(997).chain([
        HEADER,
        HEADER + SEALED_CHUNK,
        HEADER + 2 * SEALED_CHUNK,
        file.len() - 1,
    ]) {
        let error = opened(&file[..cut], length).unwrap_err();
        let named = match cut {
            0..24 => matches!(error, BackupError::NotABackup),
            24..=HEADER => matches!(error, BackupError::CutShort { chunks: 0 }),
            _ if (cut - HEADER).is_multiple_of(SEALED_CHUNK) => {
                let chunks = ((cut - HEADER) / SEALED_CHUNK) as u64;
                matches!(error, BackupError::CutShort { chunks: found } if found == chunks)
            }
            _ => {
                let chunk = ((cut - HEADER) / SEALED_CHUNK) as u64;
                matches!(error, BackupError::Damaged { chunk: found } if found == chunk)
            }
        };
        assert!(named, "cut at {cut}: {error}");
    }
}

#[test]
fn any_changed_bit_is_found() {
    let length = CHUNK_BYTES + 100;
    let file = sealed(&content(length));
    let positions = (0..HEADER).chain((HEADER..file.len()).step_by(499));
    for position in positions.chain([file.len() - 1]) {
        let mut altered = file.clone();
        altered[position] ^= 1;
        assert!(opened(&altered, length).is_err(), "bit of byte {position}");
    }
}

#[test]
fn chunks_that_are_swapped_left_out_repeated_or_of_another_file_are_refused() {
    let length = 3 * CHUNK_BYTES;
    let (file, other) = (sealed(&content(length)), sealed(&content(length)));
    let chunk = |file: &[u8], index: usize| {
        let at = HEADER + index * SEALED_CHUNK;
        file[at..at + SEALED_CHUNK].to_vec()
    };
    let of = |chunks: &[Vec<u8>]| [&file[..HEADER], &chunks.concat()].concat();
    let [a, b, c] = [0, 1, 2].map(|index| chunk(&file, index));
    assert!(opened(&of(&[a.clone(), b.clone(), c.clone()]), length).is_ok());
    for wrong in [
        vec![b.clone(), a.clone(), c.clone()],
        vec![a.clone(), c.clone()],
        vec![a.clone(), a.clone(), b.clone(), c.clone()],
        vec![a.clone(), b.clone(), c.clone(), c.clone()],
        vec![a.clone(), chunk(&other, 1), c.clone()],
    ] {
        let error = opened(&of(&wrong), length).unwrap_err();
        assert!(matches!(error, BackupError::Damaged { .. }), "{error}");
    }
}

#[test]
fn another_secret_does_not_open_it() {
    let error = opened_with(&sealed(b"content"), 7, &wrapping(2)).unwrap_err();
    assert!(matches!(error, BackupError::WrongPassphrase));
    let of_the_other_kind = Seal::passphrase(Zeroizing::new("x".repeat(12))).unwrap();
    let error = opened_with(&sealed(b"content"), 7, &of_the_other_kind).unwrap_err();
    assert!(matches!(error, BackupError::WrongPassphrase));
}

#[test]
fn other_files_and_other_versions_are_named_as_such() {
    let error = opened(b"SQLite format 3\0 and some more bytes", 1).unwrap_err();
    assert!(matches!(error, BackupError::NotABackup));
    let mut newer = sealed(b"content");
    newer[16] = 2;
    let error = opened(&newer, 7).unwrap_err();
    assert!(matches!(error, BackupError::OtherVersion { found: 2 }));
}

#[test]
fn a_header_that_was_altered_is_named_and_its_lengths_are_not_believed() {
    let mut altered = sealed(b"content");
    altered[24 + 9] ^= 1; // a cost of the sealed key
    let error = opened(&altered, 7).unwrap_err();
    assert!(matches!(error, BackupError::HeaderDamaged));
    let mut long = sealed(b"content");
    long[20..24].copy_from_slice(&u32::MAX.to_le_bytes()); // length of the sealed key
    let error = opened(&long, 7).unwrap_err();
    assert!(matches!(error, BackupError::HeaderDamaged));
}

#[test]
fn without_its_end_a_file_is_refused_even_if_every_chunk_is_whole() {
    let mut rng = UnwrapErr(rand::rngs::SysRng);
    let mut file = Vec::new();
    let mut writer = SealedWriter::begin(&mut file, &right(), &mut rng).unwrap();
    writer.write_all(&content(2 * CHUNK_BYTES)).unwrap();
    drop(writer); // the disk was full, or the node died
    let error = opened(&file, 2 * CHUNK_BYTES).unwrap_err();
    assert!(matches!(error, BackupError::CutShort { chunks: 1 }));
}
