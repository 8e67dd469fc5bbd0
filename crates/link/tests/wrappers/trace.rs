//! The log of `--log`.

use flashwire_link::{Line, LineChange, Link, LinkError, Settings, Trace};

use crate::fake::{FakeLink, MemoryFile, ms};

#[test]
fn a_session_is_logged_one_line_an_event() {
    let file = MemoryFile::default();
    let mut fake = FakeLink::new(|_| vec![0x79, 0x00]);
    fake.warnings
        .push("even parity is not supported by this port".to_owned());
    fake.closes_at = Some(ms(700));
    let mut link = Trace::new(fake, Box::new(file.clone()));

    link.lines(&[
        LineChange::new(Line::Dtr, true),
        LineChange::new(Line::Rts, false),
    ])
    .unwrap();
    link.pause(ms(100)).unwrap();
    link.send(&[0x7f, b'1']).unwrap();
    let mut got = [0; 8];
    let deadline = link.deadline(ms(500));
    link.recv(&mut got, deadline).unwrap();
    let deadline = link.deadline(ms(500));
    link.recv(&mut got, deadline).unwrap();
    // Looking without waiting is no event.
    link.recv(&mut got, deadline).unwrap();
    link.configure(Settings::plain(9600)).unwrap();
    link.discard_input().unwrap();
    assert_eq!(link.take_warnings().len(), 1);
    let deadline = link.deadline(ms(500));
    link.recv(&mut got, deadline).unwrap_err();
    drop(link);

    // This is the documented format: people and scripts read it.
    assert_eq!(
        file.text(),
        "    0.000000 open fake 115200 8E1
    0.000000 lines +dtr -rts
    0.000000 pause 0.100000
    0.100000 > 2: 7f 31 |.1|
    0.101000 < 2: 79 00 |y.|
    0.601000 < 0: nothing for 0.500000
    0.601000 settings 9600 8N1
    0.601000 discard
    0.601000 warning even parity is not supported by this port
    1.101000 error the port has gone away
"
    );
}

#[test]
fn an_error_is_on_disk_at_once_and_the_rest_when_the_link_is_dropped() {
    let file = MemoryFile::default();
    let mut fake = FakeLink::silent();
    fake.closes_at = Some(ms(10));
    let mut link = Trace::new(fake, Box::new(file.clone()));
    link.send(&[1]).unwrap();
    assert_eq!(file.flushed_text(), "");
    link.pause(ms(20)).unwrap_err();
    assert!(
        file.flushed_text()
            .ends_with("error the port has gone away\n")
    );
    link.discard_input().unwrap();
    drop(link);
    assert!(file.flushed_text().ends_with("discard\n"));
}

#[test]
fn a_full_disk_ends_the_log_but_not_the_link() {
    let file = MemoryFile::with_room(40);
    let mut link = Trace::new(FakeLink::echo(), Box::new(file.clone()));
    link.send(&[1; 100]).unwrap();
    let mut got = [0; 100];
    let deadline = link.deadline(ms(10));
    assert_eq!(link.recv(&mut got, deadline).unwrap(), 100);
    let warnings = link.take_warnings();
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].starts_with("the log ends early"),
        "{warnings:?}"
    );
    assert!(link.take_warnings().is_empty());
}

#[test]
fn a_reference_to_a_link_can_be_traced_and_used_again() {
    let mut fake = FakeLink::echo();
    let file = MemoryFile::default();
    {
        let link: &mut dyn Link = &mut fake;
        let mut traced = Trace::new(link, Box::new(file.clone()));
        traced.send(&[1]).unwrap();
    }
    fake.send(&[2]).unwrap();
    assert!(file.text().contains("> 1: 01 |.|"));
    let mut boxed: Box<dyn Link> = Box::new(fake);
    let result: Result<(), LinkError> = boxed.send(&[3]);
    result.unwrap();
}
