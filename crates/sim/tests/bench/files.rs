//! The files that keep a bench's content.

use std::fs;
use std::path::{Path, PathBuf};

use flashwire_link::Link;
use flashwire_protocol::stm32::{Command, Frame};
use flashwire_sim::stm32::ReadProtection;
use flashwire_sim::{Bench, BenchError, SimLink, StorageError};
use tempfile::TempDir;

use crate::host::{ACK, Host};

const FLASH: u32 = 0x0800_0000;

struct Board {
    folder: TempDir,
}

impl Board {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("board.bin")
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("board.bin.state")
    }

    fn spec(&self, part: &str) -> String {
        format!("{part},image={}", self.image().display())
    }

    fn refused(&self, part: &str) -> StorageError {
        match Bench::open(&self.spec(part)) {
            Err(BenchError::Storage(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder.path())
            .expect("a folder")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("a name")
            })
            .collect();
        names.sort();
        names
    }
}

#[test]
fn what_is_flashed_is_there_the_next_time() {
    let board = Board::new();
    let mut host = Host::synchronised(&board.spec("stm32f103cb"));
    assert_eq!(host.write(FLASH + 0x100, &[1, 2, 3, 4]), ACK);
    drop(host);
    let image = fs::read(board.image()).expect("an image");
    assert_eq!(image.len(), 128 * 1024);
    assert_eq!(
        image[0xFC..0x108],
        [0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4, 0xFF, 0xFF, 0xFF, 0xFF]
    );
    assert_eq!(board.files(), ["board.bin", "board.bin.state"]);
    let mut host = Host::synchronised(&board.spec("stm32f103cb"));
    assert_eq!(host.read(FLASH + 0x100, 4), Some(vec![1, 2, 3, 4]));
}

#[test]
fn a_short_image_is_filled_up_with_what_erased_flash_reads() {
    for (part, erased) in [("stm32f103c8", 0xFF), ("stm32l152rb", 0x00)] {
        let board = Board::new();
        fs::write(board.image(), [0x11; 10]).expect("written");
        let bench = Bench::open(&board.spec(part)).expect("a bench");
        assert_eq!(bench.flash()[..10], [0x11; 10]);
        assert!(bench.flash()[10..].iter().all(|byte| *byte == erased));
    }
}

#[test]
fn an_image_larger_than_the_flash_is_refused_and_left_alone() {
    let board = Board::new();
    fs::write(board.image(), vec![0; 64 * 1024 + 1]).expect("written");
    let error = board.refused("stm32f103c8");
    assert!(matches!(
        error,
        StorageError::TooLarge {
            bytes: 65_537,
            capacity: 65_536,
            ..
        }
    ));
    assert_eq!(fs::metadata(board.image()).expect("there").len(), 65_537);
    assert!(Bench::open(&board.spec("stm32f103cb")).is_ok());
}

#[test]
fn protections_last_beside_the_image() {
    let board = Board::new();
    let mut host = Host::synchronised(&board.spec("stm32f103cb"));
    host.command(Command::WriteProtect);
    assert_eq!(
        host.frame(Frame::sectors(&[3]).expect("a list").as_bytes()),
        ACK
    );
    host.synchronise();
    host.exchange(&Command::ReadoutProtect.opcode(), &[ACK, ACK]);
    host.link.close().expect("written");
    let state = fs::read_to_string(board.state()).expect("a state");
    assert_eq!(
        state,
        "flashwire bench state, version 1\n\
         # read protection level 1, 4 of 128 erase units write protected\n\
         part: stm32f103cb\n\
         options: 0 ff ff ff f7 ff ff ff\n"
    );
    let host = Host::open(&board.spec("stm32f103cb"));
    let (part, options) = (host.chip().part(), &host.chip().memory().options);
    assert_eq!(
        options.read_protection(&part.options),
        ReadProtection::Level1
    );
    assert!(options.is_write_protected(&part.options, &part.flash, 12));
}

#[test]
fn a_damaged_state_file_is_refused() {
    let good =
        "flashwire bench state, version 1\npart: stm32f103cb\noptions: a5 ff ff ff ff ff ff ff\n";
    for (damaged, why) in [
        (
            "",
            "its first line is not \"flashwire bench state, version 1\"",
        ),
        (
            "\u{fffd}\n",
            "its first line is not \"flashwire bench state, version 1\"",
        ),
        (
            &good.replace("version 1", "version 2"),
            "its first line is not",
        ),
        (&good.replace("part:", "chip:"), "line 1 is not understood"),
        (
            &good.replace("part: stm32f103cb\n", ""),
            "no line \"part:\"",
        ),
        (
            &good.replace("f103cb", "f103c8"),
            "it belongs to stm32f103c8",
        ),
        (
            &good.replace("a5 ", ""),
            "the option bytes are not 8 hexadecimal values",
        ),
        (
            &good.replace("a5", "g5"),
            "the option bytes are not 8 hexadecimal values",
        ),
    ] {
        let board = Board::new();
        fs::write(board.state(), damaged).expect("written");
        let error = board.refused("stm32f103cb").to_string();
        let place = format!("{} is damaged: {why}", board.state().display());
        assert!(error.starts_with(&place), "{error}");
    }
    let board = Board::new();
    fs::write(board.state(), [0xFF, 0xFE]).expect("written");
    assert!(
        board
            .refused("stm32f103cb")
            .to_string()
            .ends_with("it is no text")
    );
    fs::write(board.state(), good).expect("written");
    assert!(Bench::open(&board.spec("stm32f103cb")).is_ok());
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let board = Board::new();
    fs::create_dir(board.image()).expect("a folder");
    assert!(matches!(
        board.refused("stm32f103cb"),
        StorageError::NotAFile(_)
    ));
}

#[test]
fn a_folder_that_is_not_there_is_refused_before_anything_is_done() {
    let board = Board::new();
    let spec = format!(
        "stm32f103cb,image={}/nowhere/board.bin",
        board.folder.path().display()
    );
    let error = Bench::open(&spec);
    assert!(matches!(
        error,
        Err(BenchError::Storage(StorageError::Io { .. }))
    ));
}

#[cfg(unix)]
#[test]
fn a_link_to_an_image_stays_a_link() {
    let board = Board::new();
    let real = board.folder.path().join("real.bin");
    fs::write(&real, [0x77; 4]).expect("written");
    std::os::unix::fs::symlink(&real, board.image()).expect("a link");
    let mut host = Host::synchronised(&board.spec("stm32f103cb"));
    assert_eq!(host.write(FLASH + 4, &[1, 2, 3, 4]), ACK);
    drop(host);
    assert!(
        fs::symlink_metadata(board.image())
            .expect("there")
            .is_symlink()
    );
    assert_eq!(
        fs::read(&real).expect("read")[..8],
        [0x77, 0x77, 0x77, 0x77, 1, 2, 3, 4]
    );
    assert_eq!(board.files(), ["board.bin", "real.bin", "real.bin.state"]);
}

#[test]
fn looking_writes_nothing() {
    let board = Board::new();
    Bench::open(&board.spec("stm32f103cb"))
        .expect("a bench")
        .close()
        .expect("written");
    let before = modified(&board.image());
    let mut host = Host::synchronised(&board.spec("stm32f103cb"));
    assert_eq!(host.read(FLASH, 4), Some(vec![0xFF; 4]));
    host.link.close().expect("closed");
    assert_eq!(modified(&board.image()), before);
}

fn modified(path: &Path) -> std::time::SystemTime {
    fs::metadata(path)
        .expect("there")
        .modified()
        .expect("a time")
}

#[test]
fn what_the_device_was_told_it_ends_after_its_host_has_gone() {
    let board = Board::new();
    fs::write(board.image(), vec![0; 1024 * 1024]).expect("written");
    let mut link = SimLink::open(&board.spec("stm32f407vg")).expect("a bench");
    link.configure(flashwire_link::Settings::even(115_200))
        .expect("configured");
    for sent in [&[0x7F][..], &[0x44, 0xBB], &[0xFF, 0xFF, 0x00]] {
        link.send(sent).expect("sent");
        link.pause(std::time::Duration::from_millis(10))
            .expect("a pause");
    }
    drop(link);
    let image = fs::read(board.image()).expect("an image");
    assert!(image.iter().all(|byte| *byte == 0xFF));
}
