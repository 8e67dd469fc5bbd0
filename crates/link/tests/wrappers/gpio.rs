//! GPIO lines beside those of a link. What they do on a computer that has some: the tests across
//! the floors, where the system calls can be answered.

use flashwire_link::{Line, LineChange, Link, LinkError, WithGpio};

use crate::fake::FakeLink;

fn gpio(chip: &str, line: &str) -> LineChange {
    let line = Line::Gpio {
        chip: chip.to_owned(),
        line: line.to_owned(),
    };
    LineChange::new(line, true)
}

#[test]
fn lines_of_the_port_pass_through_together() {
    let fake = FakeLink::silent();
    let log = fake.log.clone();
    let mut link = WithGpio::new(fake);
    link.lines(&[
        LineChange::new(Line::Dtr, true),
        LineChange::new(Line::Rts, false),
    ])
    .unwrap();
    assert_eq!(log.take(), ["0ns lines +dtr -rts"]);
}

#[test]
fn a_gpio_line_that_cannot_be_driven_is_an_error_and_moves_no_other() {
    let fake = FakeLink::silent();
    let log = fake.log.clone();
    let mut link = WithGpio::new(fake);
    for chip in ["no-such-chip", "sysfs"] {
        let changes = [gpio(chip, "4000000000"), LineChange::new(Line::Dtr, true)];
        let error = link.lines(&changes).unwrap_err();
        assert!(matches!(error, LinkError::Line { .. }), "{error:?}");
        let sentence = error.to_string();
        assert!(
            sentence.starts_with(&format!("gpio:{chip}/4000000000 cannot be driven: ")),
            "{sentence}"
        );
    }
    assert_eq!(log.take(), [""; 0]);
}
