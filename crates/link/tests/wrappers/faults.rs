//! A wire that damages what passes.

use flashwire_link::{Direction, Fault, Faults, Link, LinkError, Settings};

use crate::fake::{ANSWER_TIME, FakeLink, ms};

fn faulty(fault: &str) -> Faults<FakeLink> {
    Faults::new(FakeLink::echo(), vec![fault.parse().unwrap()])
}

/// Sends 1 2 3 4 and returns what comes back within a second, and after how long.
fn exchange(link: &mut dyn Link) -> (Vec<u8>, u128) {
    let start = link.now();
    link.send(&[1, 2, 3, 4]).unwrap();
    let mut got = vec![0; 16];
    let deadline = link.deadline(ms(1_000));
    let count = link.recv_all(&mut got, deadline).unwrap();
    got.truncate(count);
    (got, (link.now() - start).as_millis())
}

#[test]
fn each_kind_happens_to_its_byte_and_only_once() {
    for (fault, expected) in [
        ("drop@2:in", &[1, 2, 4][..]),
        ("flip@2:in", &[1, 2, 2, 4]),
        ("dup@2:in", &[1, 2, 3, 3, 4]),
        ("drop@0:out", &[2, 3, 4]),
        ("flip@3:out", &[1, 2, 3, 5]),
        ("dup@0:out", &[1, 1, 2, 3, 4]),
        // Byte 4 of both directions together is the first one back.
        ("drop@4", &[2, 3, 4]),
        ("flip@0", &[0, 2, 3, 4]),
    ] {
        let mut link = faulty(fault);
        assert_eq!(exchange(&mut link).0, expected, "{fault}");
        assert_eq!(exchange(&mut link).0, [1, 2, 3, 4], "{fault}, second time");
    }
}

#[test]
fn a_delayed_byte_holds_up_what_is_behind_it_and_nothing_else() {
    let mut link = faulty("delay@2:in");
    assert_eq!(exchange(&mut link), (vec![1, 2], 1_000));
    let mut got = [0; 8];
    let deadline = link.deadline(ms(1_000));
    assert_eq!(link.recv(&mut got, deadline).unwrap(), 2);
    assert_eq!(got[..2], [3, 4]);
    assert_eq!(link.now().since_open(), ms(1_500) + ANSWER_TIME);
    assert_eq!(exchange(&mut link).0, [1, 2, 3, 4]);
}

#[test]
fn a_byte_delayed_on_its_way_out_gets_there_during_a_wait() {
    let mut link = faulty("delay@2:out");
    assert_eq!(exchange(&mut link).0, [1, 2]);
    let mut got = [0; 8];
    let deadline = link.deadline(ms(1_000));
    assert_eq!(link.recv(&mut got, deadline).unwrap(), 2);
    assert_eq!(link.now().since_open(), ms(1_500) + ANSWER_TIME);

    let mut link = faulty("delay@0:out");
    link.send(&[7]).unwrap();
    link.pause(ms(2_000)).unwrap();
    let deadline = link.deadline(ms(0));
    assert_eq!(link.recv(&mut got, deadline).unwrap(), 1);
}

#[test]
fn settings_change_after_what_was_sent_before() {
    let fake = FakeLink::echo();
    let log = fake.log.clone();
    let mut link = Faults::new(fake, vec!["delay@1:out".parse().unwrap()]);
    link.send(&[1, 2]).unwrap();
    link.configure(Settings::plain(9600)).unwrap();
    assert_eq!(
        log.take(),
        [
            "0ns send [01]",
            "0ns pause 1.5s",
            "1.5s send [02]",
            "1.5s configure 9600 8N1",
        ]
    );
}

#[test]
fn a_cut_link_ends_at_its_byte() {
    let mut link = faulty("cut@2:in");
    link.send(&[1, 2, 3, 4]).unwrap();
    let mut got = [0; 8];
    let deadline = link.deadline(ms(1_000));
    assert_eq!(link.recv(&mut got, deadline).unwrap(), 2);
    let result = link.recv(&mut got, deadline);
    assert!(matches!(result, Err(LinkError::Closed)), "{result:?}");
    let result = link.send(&[5]);
    assert!(matches!(result, Err(LinkError::Closed)), "{result:?}");

    let fake = FakeLink::echo();
    let log = fake.log.clone();
    let mut link = Faults::new(fake, vec!["cut@2:out".parse().unwrap()]);
    let result = link.send(&[1, 2, 3, 4]);
    assert!(matches!(result, Err(LinkError::Closed)), "{result:?}");
    assert_eq!(log.take(), ["0ns send [01, 02]"]);
    let result = link.recv(&mut got, deadline);
    assert!(matches!(result, Err(LinkError::Closed)), "{result:?}");
}

#[test]
fn a_device_that_leaves_while_bytes_are_held_up_leaves_after_them() {
    let mut fake = FakeLink::silent();
    fake.arrive(ms(1), &[1, 2]);
    fake.closes_at = Some(ms(100));
    let mut link = Faults::new(fake, vec!["delay@1:in".parse().unwrap()]);
    let mut got = [0; 8];
    let deadline = link.deadline(ms(10_000));
    assert_eq!(link.recv(&mut got, deadline).unwrap(), 1);
    assert_eq!(link.recv(&mut got, deadline).unwrap(), 1);
    let result = link.recv(&mut got, deadline);
    assert!(matches!(result, Err(LinkError::Closed)), "{result:?}");
}

#[test]
fn what_is_held_up_is_not_discarded() {
    let mut link = faulty("delay@2:in");
    link.send(&[1, 2, 3, 4]).unwrap();
    link.pause(ms(10)).unwrap();
    link.discard_input().unwrap();
    let mut got = [0; 8];
    let deadline = link.deadline(ms(2_000));
    assert_eq!(link.recv(&mut got, deadline).unwrap(), 2);
    assert_eq!(got[..2], [3, 4]);
    assert_eq!(link.count(Direction::In), 4);
    assert_eq!(link.count(Direction::Out), 4);
}

#[test]
fn without_faults_nothing_changes() {
    let mut link = Faults::new(FakeLink::echo(), Vec::new());
    assert_eq!(exchange(&mut link), (vec![1, 2, 3, 4], 1_000));
}

#[test]
fn faults_read_back_what_they_write() {
    for text in [
        "drop@0",
        "flip@17:in",
        "dup@3:out",
        "delay@4",
        "cut@18446744073709551615:in",
    ] {
        assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "drop",
        "drop@",
        "drop@x",
        "lose@1",
        "drop@1:",
        "drop@1:up",
        "drop@-1",
    ] {
        let error = text.parse::<Fault>().unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("`{text}` is no fault")),
            "{error}"
        );
    }
}
