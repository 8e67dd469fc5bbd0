//! A file of udev rules for the ports that this program is used with.
//!
//! Made from the table of [`adapters`](crate::adapters), so that what is listed is covered.

use std::fmt::Write as _;

use crate::adapters;

/// Where the rules are installed. The number has to be below 73, where systemd hands out what is
/// tagged `uaccess` (73-seat-late.rules), and below 77, where ModemManager's own rules begin.
pub const RULES_FILE: &str = "/etc/udev/rules.d/70-flashwire.rules";

/// How to install the rules, a command a line.
pub const INSTALLATION: &str = "\
flashwire doctor --udev-rules | sudo tee /etc/udev/rules.d/70-flashwire.rules
sudo udevadm control --reload
then plug the adapter in again
";

const HEAD: &str = "\
# Serial ports for flashwire, in /etc/udev/rules.d/70-flashwire.rules.
#
# Install:  flashwire doctor --udev-rules | sudo tee /etc/udev/rules.d/70-flashwire.rules
#           sudo udevadm control --reload
#           then plug the adapter in again
#
# Whoever sits at the computer may use these ports (uaccess), and ModemManager leaves them alone: it
# would talk to a new port for seconds, and a bootloader takes its speed from what it hears first.
# If a real modem hangs on one of these adapters, delete the line with its ids.

ACTION==\"remove\", GOTO=\"flashwire_end\"
SUBSYSTEM==\"usb\", ENV{DEVTYPE}==\"usb_device\", GOTO=\"flashwire_ids\"
SUBSYSTEM==\"tty\", SUBSYSTEMS==\"usb\", GOTO=\"flashwire_ids\"
GOTO=\"flashwire_end\"

LABEL=\"flashwire_ids\"
";

const TAIL: &str = "
GOTO=\"flashwire_end\"

LABEL=\"flashwire_found\"
# ModemManager asks the USB device (1.12 and later) and the port itself (1.10 and later).
ENV{ID_MM_DEVICE_IGNORE}=\"1\"
SUBSYSTEM==\"tty\", ENV{ID_MM_PORT_IGNORE}=\"1\", TAG+=\"uaccess\"

LABEL=\"flashwire_end\"
";

/// The rules: USB-serial adapters, the virtual ports of debug probes, and programmers that are USB
/// devices themselves, ours among them.
pub fn udev_rules() -> String {
    let mut rules = HEAD.to_owned();
    for (vid, pid, what) in adapters::ids() {
        let product = match pid {
            Some(pid) => format!(", ATTRS{{idProduct}}==\"{pid:04x}\""),
            None => String::new(),
        };
        // A String takes everything.
        let _ = writeln!(
            rules,
            "# {what}\nATTRS{{idVendor}}==\"{vid:04x}\"{product}, GOTO=\"flashwire_found\""
        );
    }
    rules + TAIL
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rule is assignments and comparisons with commas: udev(7), "Rules files".
    fn is_rule(line: &str) -> bool {
        let keys = [
            "ACTION",
            "SUBSYSTEM",
            "SUBSYSTEMS",
            "ENV{DEVTYPE}",
            "ATTRS{idVendor}",
            "ATTRS{idProduct}",
            "GOTO",
            "LABEL",
            "TAG",
            "ENV{ID_MM_DEVICE_IGNORE}",
            "ENV{ID_MM_PORT_IGNORE}",
        ];
        line.split(", ").all(|item| {
            let Some((key, value)) = item.split_once('=') else {
                return false;
            };
            let value = value.trim_start_matches('=');
            let quoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
            keys.contains(&key.trim_end_matches('+'))
                && quoted.is_some_and(|v| !v.is_empty() && !v.contains('"'))
        })
    }

    #[test]
    fn every_line_is_a_comment_or_a_rule() {
        for line in udev_rules().lines() {
            let ok = line.is_empty() || line.starts_with('#') || is_rule(line);
            assert!(ok, "{line}");
        }
        assert!(!is_rule("ATTRS{idVendor}=0483"));
        assert!(!is_rule("NAME=\"x\""));
    }

    #[test]
    fn every_jump_leads_forward_to_a_label() {
        let rules = udev_rules();
        for (at, _) in rules.match_indices("GOTO=\"") {
            let name = rules[at + 6..].split('"').next().unwrap();
            let label = format!("LABEL=\"{name}\"");
            assert!(rules[at..].contains(&label), "{name}");
        }
    }

    #[test]
    fn adapters_probes_and_our_own_programmer_are_covered() {
        let rules = udev_rules();
        for (vid, pid) in [
            ("0483", "374b"),
            ("0483", "5740"),
            ("1a86", "7523"),
            ("10c4", "ea60"),
        ] {
            let rule = format!("ATTRS{{idVendor}}==\"{vid}\", ATTRS{{idProduct}}==\"{pid}\"");
            assert!(rules.contains(&rule), "{vid}:{pid}");
        }
        // A whole vendor only where it makes nothing but serial ports.
        assert!(!rules.contains("ATTRS{idVendor}==\"0483\", GOTO"));
    }

    #[test]
    fn the_file_says_how_it_is_installed() {
        let rules = udev_rules();
        for line in INSTALLATION.lines() {
            assert!(rules.contains(line), "{line}");
        }
        assert!(INSTALLATION.contains(RULES_FILE));
    }
}
