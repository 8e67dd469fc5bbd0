//! flashwire as a program: files, streams, defaults, signals. What it says on a bench is in the
//! transcripts (`tests/cli`).

use std::io::Write;
use std::process::Stdio;

use flashwire_tests::bench::noise;
use flashwire_tests::desk::{self, Desk};

/// A bench whose flash is the file `board.bin`.
const BOARD: &str = "sim:stm32f103cb,image=board.bin";

#[test]
fn a_4_gib_file_is_refused_unread() {
    let desk = Desk::new();
    let file = std::fs::File::create(desk.file("sparse.bin")).unwrap();
    file.set_len(4 << 30).unwrap();
    desk.run(&["write", "sparse.bin", "-p", BOARD])
        .with(7, "error[file-too-large]");
    assert!(!desk.file("board.bin").exists(), "the board was touched");
}

#[test]
fn standard_input_and_output_carry_firmware() {
    let desk = Desk::new();
    let image = noise(3000, 1);
    let mut write = desk.flashwire(&["write", "-", "-p", BOARD, "--address", "0x08000400"]);
    let mut child = write
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&image).unwrap();
    assert!(child.wait().unwrap().success());
    let read = [
        "read",
        "-",
        "-p",
        BOARD,
        "--address",
        "0x08000400",
        "--length",
        "3000",
    ];
    assert_eq!(desk.run(&read).done().out, image);
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let desk = Desk::new();
    let mut read = desk.flashwire(&["read", "-", "-p", "sim:stm32f103cb", "--quiet"]);
    let mut child = read
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
}

#[test]
fn a_read_that_fails_leaves_the_old_file_and_nothing_else() {
    let desk = Desk::new();
    desk.put("flash.bin", "old");
    let broken = "sim:stm32f103cb,faults=cut@5000:in";
    desk.run(&["read", "flash.bin", "-p", broken])
        .with(1, "error[link-lost]");
    assert_eq!(desk.content("flash.bin"), b"old");
    let names: Vec<_> = std::fs::read_dir(desk.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn a_protected_chip_is_refused_before_anything_is_done() {
    let desk = Desk::new();
    let content = noise(131_072, 2);
    desk.put("board.bin", &content);
    let state =
        "flashwire bench state, version 1\npart: stm32f103cb\noptions: 00 ff ff ff ff ff ff ff\n";
    desk.put("board.bin.state", state);
    desk.put("app.bin", noise(1000, 3));
    let shown = desk.run(&["info", "-p", BOARD]);
    let shown = String::from_utf8(shown.done().out.clone()).unwrap();
    assert!(shown.contains("read protection   on"), "{shown}");
    for job in [
        &["write", "app.bin", "-p", BOARD][..],
        &["write", "app.bin", "-p", BOARD, "--erase", "all"],
        &["verify", "app.bin", "-p", BOARD],
        &["read", "out.bin", "-p", BOARD],
        &["erase", "--all", "-p", BOARD],
    ] {
        desk.run(job).with(4, "error[read-protected]");
        assert_eq!(desk.content("board.bin"), content, "{job:?}");
    }
}

#[test]
fn defaults_stand_below_the_environment_and_that_below_options() {
    let desk = Desk::new();
    // Which chip answered tells which port was taken.
    let product_id = |run: &mut std::process::Command| {
        let ended = desk::run(run);
        let text = String::from_utf8(ended.done().out.clone()).unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with("product id"))
            .unwrap()
            .to_owned();
        line.split_whitespace().last().unwrap().to_owned()
    };
    let info = |words: &[&str]| desk.flashwire(&[&["info", "-q"], words].concat());
    desk.put(
        ".config/flashwire/flashwire.toml",
        "port = 'sim:stm32f103cb'\n",
    );
    assert_eq!(product_id(&mut info(&[])), "0x410");
    desk.put("flashwire.toml", "port = 'sim:stm32f407vg'\n");
    assert_eq!(product_id(&mut info(&[])), "0x413");
    let mut by_environment = info(&[]);
    by_environment.env("FLASHWIRE_PORT", "sim:stm32g071rb");
    assert_eq!(product_id(&mut by_environment), "0x460");
    let mut by_option = info(&["-p", "sim:stm32l476rg"]);
    by_option.env("FLASHWIRE_PORT", "sim:stm32g071rb");
    assert_eq!(product_id(&mut by_option), "0x415");
}

#[test]
fn the_defaults_of_a_project_reach_down_from_its_root() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.file("project/.git")).unwrap();
    std::fs::create_dir_all(desk.file("project/firmware/src")).unwrap();
    desk.put("flashwire.toml", "port = 'sim:stm32f407vg'\n");
    let mut below = desk.flashwire(&["info", "-q"]);
    below.current_dir(desk.file("project/firmware/src"));
    // The file above the repository does not count.
    desk::run(&mut below).with(2, "error[no-port]");
    desk.put("project/flashwire.toml", "port = 'sim:stm32f103cb'\n");
    desk::run(&mut below).done();
}

#[test]
fn a_mistake_in_the_defaults_is_named_with_its_line() {
    let desk = Desk::new();
    desk.put("flashwire.toml", "# ours\nprot = '/dev/ttyUSB0'\n");
    desk.run(&["info"])
        .with(2, "error[config-bad]")
        .with(2, "line 2: `prot` is no key");
}

#[test]
fn the_address_of_the_defaults_is_for_raw_binaries_only() {
    let desk = Desk::new();
    desk.put(
        "flashwire.toml",
        format!("port = '{BOARD}'\naddress = 0x0800_4000\n"),
    );
    desk.put("app.bin", noise(64, 4));
    desk.run(&["write", "app.bin"]).done();
    assert_eq!(desk.content("board.bin")[0x4000..0x4040], noise(64, 4));
    desk.run(&[
        "image",
        "convert",
        "app.bin",
        "--address",
        "0x08000000",
        "-o",
        "app.hex",
    ])
    .done();
    desk.run(&["write", "app.hex"]).done();
    assert_eq!(desk.content("board.bin")[..64], noise(64, 4));
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let desk = Desk::new();
    let escapes = |variables: &[(&str, &str)]| {
        let mut run = desk.flashwire(&["info"]);
        desk::run(run.envs(variables.iter().copied()))
            .err
            .contains('\x1b')
    };
    assert!(!escapes(&[]));
    assert!(escapes(&[("CLICOLOR_FORCE", "1")]));
    assert!(!escapes(&[("NO_COLOR", "1")]));
}

#[test]
fn the_log_holds_every_byte() {
    let desk = Desk::new();
    desk.run(&["info", "-p", "sim:stm32f103cb", "--log", "wire.log"])
        .done();
    let log = String::from_utf8(desk.content("wire.log")).unwrap();
    assert!(
        log.starts_with("    0.000000 open sim:stm32f103cb 115200 8E1\n"),
        "{log}"
    );
    assert!(
        log.contains("> 1: 7f |.|\n") && log.contains("< 1: 79 |y|\n"),
        "{log}"
    );
}

#[test]
fn the_old_content_of_what_is_written_is_kept() {
    let desk = Desk::new();
    let old = noise(131_072, 5);
    desk.put("board.bin", &old);
    desk.put("app.bin", noise(100, 6));
    desk.run(&["write", "app.bin", "-p", BOARD, "--address", "0x08000410"])
        .done();
    let folder = desk.file(".local/state/flashwire/backups");
    let kept: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let [kept] = &kept[..] else {
        panic!("{kept:?}")
    };
    desk.run(&["verify", "app.bin", "-p", BOARD, "--address", "0x08000410"])
        .done();
    // The backup and what was not erased are all of the old content but the new file's own bytes.
    desk.run(&["write", kept.to_str().unwrap(), "-p", BOARD, "--no-backup"])
        .done();
    let now = desk.content("board.bin");
    assert_eq!(now[..0x410], old[..0x410]);
    assert_eq!(now[0x474..], old[0x474..]);

    desk.run(&["write", "app.bin", "-p", BOARD, "--backup=all.bin"])
        .done();
    assert_eq!(desk.content("all.bin"), now);
}

#[test]
fn uf2_files_for_several_families_give_the_chip_its_own() {
    let desk = Desk::new();
    let block = |family: u32, value: u8| {
        let words = [
            0x0A32_4655,
            0x9E5D_5157,
            0x2000,
            0x0800_0000,
            256,
            0,
            1,
            family,
        ];
        let mut block: Vec<u8> = words
            .iter()
            .flat_map(|word: &u32| word.to_le_bytes())
            .collect();
        block.extend([value; 476]);
        block.extend(0x0AB1_6F30_u32.to_le_bytes());
        block
    };
    let (f1, f4) = (0x5EE2_1072, 0x5775_5A57);
    desk.put("app.uf2", [block(f4, 4), block(f1, 1)].concat());
    desk.run(&["write", "app.uf2", "-p", BOARD]).done();
    assert_eq!(desk.content("board.bin")[..256], [1; 256]);
    let ended = desk.run(&["write", "app.uf2", "-p", "sim:stm32g071rb"]);
    ended
        .with(4, "error[wrong-family]")
        .with(4, "STM32F4, STM32F1");
}

#[test]
fn manual_pages_and_completions_are_made_for_every_command() {
    let desk = Desk::new();
    desk.run(&["man", "pages"]).done();
    for page in [
        "flashwire.1",
        "flashwire-write.1",
        "flashwire-image-convert.1",
    ] {
        let text = String::from_utf8(desk.content(&format!("pages/{page}"))).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = desk.run(&["completions", shell]);
        let script = String::from_utf8(ended.done().out.clone()).unwrap();
        assert!(script.contains("only-changed"), "{shell}");
    }
}

#[test]
fn the_first_command_of_the_readme_works_as_it_stands() {
    let desk = Desk::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/blinky-f103.hex");
    desk.put("examples/blinky-f103.hex", std::fs::read(example).unwrap());
    let readme = include_str!("../../README.md");
    let command = readme
        .lines()
        .find(|line| line.starts_with("cargo run --release -- write"))
        .unwrap();
    let words: Vec<&str> = command.split_whitespace().skip(4).collect();
    desk.run(&words).with(0, "written and verified");
    desk.run(&["verify", "examples/blinky-f103.hex", "-p", BOARD])
        .done();
}

#[test]
fn benches_are_listed_where_they_are_asked_for_and_where_none_is_like_the_name() {
    let desk = Desk::new();
    let listed = desk.run(&["list", "--sim"]);
    let listed = String::from_utf8(listed.done().out.clone()).unwrap();
    let names: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.strip_prefix("sim:"))
        .collect();
    assert!(names.contains(&"stm32f103cb"), "{listed}");
    for port in ["sim:", "sim:esp32"] {
        let ended = desk.run(&["info", "-p", port]);
        ended.with(2, "error[bench-unknown]");
        // Each programmer takes each chip, so that they are named apart.
        for name in names.iter().flat_map(|name| name.split('+')) {
            ended.with(2, name);
        }
    }
    let misspelt = desk.run(&["info", "-p", "sim:stm32f103cb,imagine=board.bin"]);
    misspelt
        .with(2, "error[bench-unknown]")
        .with(2, "image (a file)");
}

#[test]
fn a_bench_of_another_method_is_refused_as_a_port() {
    let desk = Desk::new();
    let ended = desk.run(&["info", "-p", "stm32:sim:serprog+w25q64jv"]);
    ended
        .with(2, "error[port-syntax]")
        .with(2, "no stm32 over sim:serprog+w25q64jv");
}
