//! Recording a link, and replaying the recording.

use flashwire_link::{Line, LineChange, Link, LinkError, Record, Replay, Settings};

use crate::fake::{ANSWER_TIME, FakeLink, MemoryFile, ms};

/// A small job: what a client would do. Returns what it got.
fn job(link: &mut dyn Link) -> Result<Vec<u8>, LinkError> {
    link.configure(Settings::plain(57_600))?;
    link.lines(&[
        LineChange::new(Line::Dtr, true),
        LineChange::new(Line::Rts, false),
    ])?;
    link.pause(ms(100))?;
    link.discard_input()?;
    link.send(&[0x7f])?;
    let mut got = vec![0; 3];
    let deadline = link.deadline(ms(500));
    let mut count = link.recv(&mut got, deadline)?;
    link.send(&[1, 2])?;
    let deadline = link.deadline(ms(500));
    count += link.recv_all(&mut got[count..], deadline)?;
    // Silence.
    let deadline = link.deadline(ms(500));
    assert_eq!(link.recv(&mut [0; 8], deadline)?, 0);
    got.truncate(count);
    Ok(got)
}

/// The recording of the job.
const RECORDING: &str = r#"{"at_us":0,"event":"open","version":1,"port":"fake","settings":"115200 8E1"}
{"at_us":0,"event":"configure","settings":"57600 8N1"}
{"at_us":0,"event":"lines","changes":"+dtr -rts"}
{"at_us":100000,"event":"discard"}
{"at_us":100000,"event":"send","bytes":"7f"}
{"at_us":101000,"event":"recv","bytes":"7f"}
{"at_us":101000,"event":"send","bytes":"0102"}
{"at_us":102000,"event":"recv","bytes":"0102"}
"#;

#[test]
fn a_job_is_recorded_as_documented() {
    let file = MemoryFile::default();
    let mut link = Record::new(FakeLink::echo(), Box::new(file.clone()));
    assert_eq!(job(&mut link).unwrap(), [0x7f, 1, 2]);
    drop(link);
    assert_eq!(file.flushed_text(), RECORDING);
}

#[test]
fn a_recording_gives_the_same_answers_at_the_same_times() {
    let mut link = Replay::new(RECORDING).unwrap();
    assert_eq!(link.name(), "fake");
    assert_eq!(link.settings(), Settings::even(115_200));
    assert_eq!(job(&mut link).unwrap(), [0x7f, 1, 2]);
    assert_eq!(link.settings(), Settings::plain(57_600));
    assert_eq!(link.now().since_open(), ms(100) + ANSWER_TIME * 2 + ms(500));
    link.finish().unwrap();
}

#[test]
fn an_answer_comes_as_long_after_the_hosts_last_act_as_it_did() {
    let mut link = Replay::new(
        r#"{"at_us":5,"event":"open","version":1,"port":"p","settings":"9600 8N1"}
{"at_us":1000,"event":"send","bytes":"01"}
{"at_us":31000,"event":"recv","bytes":"0203"}"#,
    )
    .unwrap();
    // The host is later than it was.
    link.pause(ms(700)).unwrap();
    link.send(&[1]).unwrap();
    let mut got = [0; 1];
    let too_early = link.deadline(ms(29));
    assert_eq!(link.recv(&mut got, too_early).unwrap(), 0);
    let deadline = link.deadline(ms(500));
    assert_eq!(link.recv(&mut got, deadline).unwrap(), 1);
    assert_eq!(link.now().since_open().as_micros(), 5 + 730_000);
    // What is left of it has arrived too.
    assert_eq!(link.recv(&mut got, too_early).unwrap(), 1);
    assert_eq!(got, [3]);
    link.finish().unwrap();
}

#[test]
fn the_first_difference_is_told_and_stays() {
    let mut link = Replay::new(RECORDING).unwrap();
    link.configure(Settings::plain(57_600)).unwrap();
    link.lines(&[
        LineChange::new(Line::Dtr, true),
        LineChange::new(Line::Rts, false),
    ])
    .unwrap();
    link.discard_input().unwrap();
    let error = link.send(&[0x7e]).unwrap_err().to_string();
    assert_eq!(
        error,
        "line 5 of the recording says send 7f, but now: send 7e"
    );
    // The right bytes now do not help.
    assert_eq!(link.send(&[0x7f]).unwrap_err().to_string(), error);
    let deadline = link.deadline(ms(1));
    assert_eq!(
        link.recv(&mut [0; 8], deadline).unwrap_err().to_string(),
        error
    );
    assert_eq!(link.finish().unwrap_err().to_string(), error);
}

#[test]
fn what_is_left_out_or_too_much_is_a_difference() {
    // An answer that was taken then is not taken now.
    let mut link = Replay::new(RECORDING).unwrap();
    link.configure(Settings::plain(57_600)).unwrap();
    link.lines(&[
        LineChange::new(Line::Dtr, true),
        LineChange::new(Line::Rts, false),
    ])
    .unwrap();
    link.discard_input().unwrap();
    link.send(&[0x7f]).unwrap();
    let error = link.send(&[1, 2]).unwrap_err().to_string();
    assert_eq!(
        error,
        "line 6 of the recording says recv 7f, but now: send 0102"
    );

    // More than was recorded.
    let mut link = Replay::new(RECORDING).unwrap();
    job(&mut link).unwrap();
    let error = link.send(&[9]).unwrap_err().to_string();
    assert_eq!(
        error,
        "line 9 of the recording says the end, but now: send 09"
    );

    // Less than was recorded.
    let link = Replay::new(RECORDING).unwrap();
    let error = link.finish().unwrap_err().to_string();
    assert_eq!(
        error,
        "line 2 of the recording says configure 57600 8N1, but now: the end"
    );
}

#[test]
fn a_link_that_ended_in_a_wait_ends_in_the_same_wait() {
    let file = MemoryFile::default();
    let mut fake = FakeLink::silent();
    fake.closes_at = Some(ms(50));
    let mut link = Record::new(fake, Box::new(file.clone()));
    link.send(&[1]).unwrap();
    let deadline = link.deadline(ms(100));
    link.recv(&mut [0; 8], deadline).unwrap_err();
    drop(link);

    let mut link = Replay::new(&file.text()).unwrap();
    link.send(&[1]).unwrap();
    let result = link.recv(&mut [0; 8], deadline);
    assert!(matches!(result, Err(LinkError::Closed)), "{result:?}");
    let result = link.send(&[1]);
    assert!(matches!(result, Err(LinkError::Closed)), "{result:?}");
    link.finish().unwrap();
}

#[test]
fn a_link_that_ended_in_a_send_ends_in_the_same_send() {
    let file = MemoryFile::default();
    let mut fake = FakeLink::silent();
    fake.closes_at = Some(ms(50));
    let mut link = Record::new(fake, Box::new(file.clone()));
    // Nothing of a pause is recorded.
    link.pause(ms(49)).unwrap();
    link.send(&[1]).unwrap();
    link.pause(ms(1)).unwrap_err();
    drop(link);
    let text = file.text().replace("\"at_once\":false", "\"at_once\":true");

    let mut link = Replay::new(&text).unwrap();
    let result = link.send(&[1]);
    assert!(matches!(result, Err(LinkError::Closed)), "{result:?}");
    link.finish().unwrap();
}

#[test]
fn what_is_no_recording_is_refused_with_its_line() {
    let open = r#"{"at_us":0,"event":"open","version":1,"port":"p","settings":"9600 8N1"}"#;
    let cases = [
        (String::new(), 1, "begins with"),
        ("{}".to_owned(), 1, "at_us"),
        (
            open.replace("\"version\":1", "\"version\":2"),
            1,
            "version 2",
        ),
        (open.replace("9600", "fast"), 1, "`fast 8N1`"),
        (format!("{open}\nnonsense"), 2, "expected"),
        (
            format!("{open}\n{{\"at_us\":1,\"event\":\"send\",\"bytes\":\"0g\"}}"),
            2,
            "0g",
        ),
        (
            format!("{open}\n{{\"at_us\":1,\"event\":\"send\",\"bytes\":\"012\"}}"),
            2,
            "012",
        ),
    ];
    for (text, line, reason) in cases {
        let error = Replay::new(&text).unwrap_err();
        assert_eq!(error.line, line, "{error}");
        assert!(error.reason.contains(reason), "{error}");
    }
}
