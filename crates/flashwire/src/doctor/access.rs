//! Whether a port can be opened, and why not.

use flashwire_link::LinkError;

use super::computer::{Account, Computer, Group, Node};
use super::finding::{Denial, Finding};
use crate::SerialPort;
use crate::adapters;
use crate::error::{Error, Problem};

/// A port that may be opened.
pub(super) fn usable(port: &SerialPort) -> Finding {
    Finding::Usable {
        port: port.name.clone(),
        what: adapters::describe(port),
        driver: port.driver.clone(),
    }
}

/// A port that was opened, with what is known of it.
pub(super) fn opened(name: &str) -> Finding {
    let ports = flashwire_link::ports().unwrap_or_default();
    let known = ports
        .iter()
        .find(|port| port.name == name || port.aliases.iter().any(|alias| alias == name));
    match known {
        Some(port) => usable(port),
        None => Finding::Opened {
            port: name.to_owned(),
        },
    }
}

/// Who else has to do with a port.
pub(super) fn around(computer: &Computer, port: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let holders = computer.holders(port);
    if !holders.is_empty() {
        findings.push(Finding::Shared {
            port: port.to_owned(),
            holders,
        });
    }
    if let Some(process) = computer.modem_manager()
        && computer.is_open_to_modem_manager(port)
    {
        findings.push(Finding::ModemManager {
            port: port.to_owned(),
            process,
            system: computer.system(None),
        });
    }
    findings
}

/// Adapters that could be ports and are none.
pub(super) fn idle_adapters(computer: &Computer) -> Vec<Finding> {
    let idle = computer.idle_adapters().into_iter();
    idle.map(|(adapter, taken_by)| Finding::IdleAdapter { adapter, taken_by })
        .collect()
}

/// Why a port could not be opened.
///
/// # Errors
/// The error itself, if it is about something else.
pub(super) fn refused(computer: &Computer, port: &str, error: Error) -> Result<Finding, Error> {
    let Problem::Open { source, .. } = error.problem() else {
        return Err(error);
    };
    let name = port.to_owned();
    Ok(match source {
        LinkError::NotFound => Finding::Missing {
            port: name,
            others: other_ports(),
        },
        LinkError::NotAPort(what) => Finding::NotSerial {
            port: name,
            what: what.clone(),
        },
        LinkError::Busy => Finding::Busy {
            port: name,
            holders: computer.holders(port),
            system: computer.system(None),
        },
        LinkError::Denied => denied(computer, port),
        _ => Finding::Unopened(error),
    })
}

fn other_ports() -> Vec<String> {
    let ports = flashwire_link::ports().unwrap_or_default();
    ports.into_iter().map(|port| port.name).collect()
}

/// Why this user may not open a port.
pub(super) fn denied(computer: &Computer, port: &str) -> Finding {
    let node = computer.node(port);
    let denial = match (node, computer.account()) {
        (Some(node), Some(account)) => {
            let group = computer.group(node.gid);
            let member = computer.is_member(&account.name, node.gid);
            why(node, &account, group.as_ref(), member)
        }
        _ => Denial::Policy,
    };
    Finding::Denied {
        port: port.to_owned(),
        denial,
        system: computer.system(node.map(|node| node.gid)),
    }
}

/// Read and write, for the owner; shifted, for the group and for all others.
const READ_WRITE: u32 = 0o600;

/// Why `account` may not open `node`. The rights are asked for in the order in which the system
/// does: as owner, as group, as anybody; the first that fits decides (path_resolution(7)).
fn why(node: Node, account: &Account, group: Option<&Group>, member: bool) -> Denial {
    let grants = |shift: u32| (node.mode << shift) & READ_WRITE == READ_WRITE;
    let mine = if account.uid == node.uid {
        grants(0)
    } else if account.groups.contains(&node.gid) {
        grants(3)
    } else {
        grants(6)
    };
    // Nothing is closed to root by rights.
    if mine || account.uid == 0 {
        return Denial::Policy;
    }
    // Nobody is to join root's own group for a serial port.
    if !grants(3) || node.gid == 0 || account.groups.contains(&node.gid) {
        return Denial::OwnerOnly {
            mode: shown(node.mode),
        };
    }
    let user = account.name.clone();
    let group = group.map_or_else(|| node.gid.to_string(), |group| group.name.clone());
    match member {
        true => Denial::StaleLogin { user, group },
        false => Denial::NotInGroup { user, group },
    }
}

/// `rw-rw----`, as `ls -l` shows it.
fn shown(mode: u32) -> String {
    let letters = "rwxrwxrwx".chars().enumerate();
    letters
        .map(|(n, letter)| match mode >> (8 - n) & 1 {
            1 => letter,
            _ => '-',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALOUT: u32 = 20;

    fn node(mode: u32, gid: u32) -> Node {
        Node { mode, uid: 0, gid }
    }

    fn anna(groups: &[u32]) -> Account {
        Account {
            uid: 1000,
            name: "anna".to_owned(),
            groups: groups.iter().copied().collect(),
        }
    }

    fn dialout() -> Group {
        Group {
            name: "dialout".to_owned(),
            members: Vec::new(),
            in_usr_lib: false,
        }
    }

    #[test]
    fn a_user_outside_of_the_group_is_told_to_join_it() {
        let denial = why(
            node(0o660, DIALOUT),
            &anna(&[1000]),
            Some(&dialout()),
            false,
        );
        let expected = Denial::NotInGroup {
            user: "anna".to_owned(),
            group: "dialout".to_owned(),
        };
        assert_eq!(denial, expected);
    }

    #[test]
    fn a_user_who_joined_after_the_login_has_to_log_in_again() {
        let denial = why(node(0o660, DIALOUT), &anna(&[1000]), Some(&dialout()), true);
        assert!(matches!(denial, Denial::StaleLogin { .. }), "{denial:?}");
    }

    #[test]
    fn a_port_that_no_group_may_open_needs_a_rule() {
        for (mode, gid, groups) in [
            (0o600, DIALOUT, &[1000][..]),
            // Root's own group is no group to join.
            (0o660, 0, &[1000]),
            // Being in it does not help where it may only read.
            (0o640, DIALOUT, &[1000, DIALOUT]),
        ] {
            let denial = why(node(mode, gid), &anna(groups), Some(&dialout()), true);
            let mode = shown(mode);
            assert_eq!(denial, Denial::OwnerOnly { mode });
        }
    }

    #[test]
    fn where_the_rights_allow_it_something_else_forbids_it() {
        for (mode, groups) in [(0o660, &[DIALOUT][..]), (0o666, &[1000])] {
            let denial = why(node(mode, DIALOUT), &anna(groups), None, false);
            assert_eq!(denial, Denial::Policy);
        }
        let root = Account {
            uid: 0,
            ..anna(&[0])
        };
        // Rights never close anything to root.
        let somebody_else_s = Node {
            mode: 0o600,
            uid: 1000,
            gid: 1000,
        };
        assert_eq!(why(somebody_else_s, &root, None, false), Denial::Policy);
    }

    #[test]
    fn a_group_without_a_name_is_called_by_its_number() {
        let denial = why(node(0o660, 986), &anna(&[1000]), None, false);
        assert!(matches!(denial, Denial::NotInGroup { group, .. } if group == "986"));
    }

    #[test]
    fn rights_are_shown_as_ls_shows_them() {
        assert_eq!(shown(0o660), "rw-rw----");
        assert_eq!(shown(0o705), "rwx---r-x");
    }
}
