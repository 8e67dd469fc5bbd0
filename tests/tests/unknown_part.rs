//! A part that no table knows: the F103 bench behind a wire on which somebody changes its product
//! id. It can be asked and read; it is written only where nothing has to be known of its pages.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use flashwire_link::CancelFlag;
use flashwire_sim::serve::{Limits, Listen, Server};
use flashwire_tests::bench::noise;
use flashwire_tests::desk::Desk;

/// What an F103 of medium density answers to Get ID, and what arrives instead.
const ID: [u8; 4] = [0x01, 0x04, 0x10, 0x79];
const OTHER_ID: [u8; 4] = [0x01, 0x04, 0xFF, 0x79];

/// Passes what a server says to a tool, with another id. The answer arrives in pieces, so that a
/// beginning of it is held back until it is clear what it is.
fn pass_changed(mut server: TcpStream, mut tool: TcpStream) {
    let mut held = Vec::new();
    let mut byte = [0];
    server
        .set_read_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    loop {
        match server.read(&mut byte) {
            Ok(1) => held.push(byte[0]),
            Ok(_) => return,
            // Nothing more is coming: what is held is no id.
            Err(_) => {
                if tool.write_all(&std::mem::take(&mut held)).is_err() {
                    return;
                }
                continue;
            }
        }
        if held == ID {
            held = OTHER_ID.to_vec();
        }
        if (held == OTHER_ID || !ID.starts_with(&held))
            && tool.write_all(&std::mem::take(&mut held)).is_err()
        {
            return;
        }
    }
}

/// Serves an F103 with a false id; gives the port for flashwire.
fn unknown_part(desk: &Desk, stop: &CancelFlag) -> (String, thread::JoinHandle<()>) {
    let spec = format!("stm32f103cb,image={}", desk.file("board.bin").display());
    let listen = Listen::Tcp("127.0.0.1:0".to_owned());
    let (place, is_ready) = std::sync::mpsc::channel();
    let flag = stop.clone();
    let server = thread::spawn(move || {
        let mut server = Server::open(&spec, &listen).unwrap();
        place.send(server.place()).unwrap();
        server.run(&flag, Limits::default()).unwrap();
        server.close().unwrap();
    });
    let bench = is_ready.recv().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("tcp:{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for tool in listener.incoming() {
            let mut tool = tool.unwrap();
            let mut server = TcpStream::connect(bench.trim_start_matches("tcp:")).unwrap();
            let (from, to) = (server.try_clone().unwrap(), tool.try_clone().unwrap());
            let back = thread::spawn(move || pass_changed(from, to));
            // Ends when the tool closes its end.
            let _ = std::io::copy(&mut tool, &mut server);
            let _ = server.shutdown(std::net::Shutdown::Both);
            let _ = back.join();
        }
    });
    (port, server)
}

#[test]
fn an_unknown_part_is_asked_and_read_and_written_only_as_a_whole() {
    let desk = Desk::new();
    let old = noise(131_072, 1);
    desk.put("board.bin", &old);
    desk.put("app.bin", noise(600, 2));
    let stop = CancelFlag::new();
    let (port, server) = unknown_part(&desk, &stop);

    let info = desk.run(&["info", "-p", &port]);
    let text = String::from_utf8(info.done().out.clone()).unwrap();
    assert!(
        text.contains("0x4ff") && text.contains("size unknown"),
        "{text}"
    );

    desk.run(&["read", "all.bin", "-p", &port])
        .with(2, "--length");
    desk.run(&["read", "some.bin", "-p", &port, "--length", "600"])
        .done();
    assert_eq!(desk.content("some.bin"), old[..600]);

    let refused = desk.run(&["write", "app.bin", "-p", &port]);
    refused
        .with(4, "error[part-unknown]")
        .with(4, "--erase all");
    desk.run(&[
        "erase",
        "-p",
        &port,
        "--address",
        "0x08000000",
        "--length",
        "1k",
    ])
    .with(4, "error[part-unknown]");
    assert_eq!(desk.content("board.bin"), old);

    desk.run(&["write", "app.bin", "-p", &port, "--erase", "all"])
        .done();
    stop.raise();
    server.join().unwrap();
    let now = desk.content("board.bin");
    assert_eq!(now[..600], noise(600, 2));
    assert!(now[600..].iter().all(|&byte| byte == 0xFF));
}
