//! The doctor on computers that are folders of files, and every finding in words.

#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use flashwire::doctor::{
    Adapter, Computer, Denial, Finding, GroupTool, Process, Sample, System, Verdict, exit,
};
use flashwire::{Error, Exit, Problem};
use flashwire_link::{LinkError, Settings};

const PORT: &str = "/dev/ttyUSB0";

/// A computer in a folder.
struct Desk(tempfile::TempDir);

impl Desk {
    /// With a user `anna` (1000, in the groups 1000 and 24), who runs this program as process 77.
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.file(
            "proc/self/status",
            "Name:\tflashwire\nPid:\t77\nUid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\nGroups:\t24\n",
        );
        desk.file(
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000:Anna:/tmp:/bin/sh\n",
        );
        desk.file(
            "etc/group",
            "root:x:0:\ndialout:x:20:berta,anna\ntape:x:26:berta\n",
        );
        desk.file("dev/ttyUSB0", "");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn link(&self, name: &str, target: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// A process that has these files open.
    fn process(&self, pid: u32, name: &str, open: &[&str]) {
        self.file(&format!("proc/{pid}/comm"), &format!("{name}\n"));
        for (n, target) in open.iter().enumerate() {
            self.link(&format!("proc/{pid}/fd/{n}"), target);
        }
    }

    /// The USB adapter behind `ttyUSB0`, as sysfs has it.
    fn adapter(&self) {
        let interface = "sys/devices/usb1/1-2/1-2:1.0";
        self.file("sys/devices/usb1/1-2/dev", "189:4\n");
        self.link(&format!("{interface}/subsystem"), "../../../../bus/usb");
        self.link("sys/devices/usb1/1-2/subsystem", "../../../bus/usb");
        self.file(&format!("{interface}/ttyUSB0/port_number"), "0\n");
        self.file("sys/class/tty/ttyUSB0/dev", "188:0\n");
        self.link(
            "sys/class/tty/ttyUSB0/device",
            "../../../devices/usb1/1-2/1-2:1.0/ttyUSB0",
        );
    }

    fn computer(&self) -> Computer {
        Computer::at(self.0.path())
    }
}

fn process(pid: u32, name: &str) -> Process {
    let name = name.to_owned();
    Process { pid, name }
}

#[test]
fn the_user_is_the_one_of_this_process() {
    let desk = Desk::new();
    let account = desk.computer().account().unwrap();
    assert_eq!((account.uid, account.name.as_str()), (1000, "anna"));
    assert_eq!(account.groups, BTreeSet::from([24, 1000]));
}

#[test]
fn groups_are_those_of_the_files_and_not_of_the_login() {
    let desk = Desk::new();
    let computer = desk.computer();
    assert_eq!(computer.group(20).unwrap().name, "dialout");
    assert!(computer.is_member("anna", 20));
    assert!(computer.is_member("anna", 1000), "her own group");
    assert!(!computer.is_member("anna", 26));
    assert_eq!(computer.group(99), None);
}

#[test]
fn a_group_of_the_read_only_system_is_found_and_told_apart() {
    let desk = Desk::new();
    desk.file("usr/lib/group", "dialout:x:18:\n");
    desk.file("usr/bin/sudo", "");
    let computer = desk.computer();
    assert!(computer.group(18).unwrap().in_usr_lib);
    assert_eq!(computer.system(Some(18)).groups, GroupTool::CopyFirst);
}

#[test]
fn a_node_has_its_rights_and_its_group() {
    let desk = Desk::new();
    let path = desk.path("dev/ttyUSB0");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let node = desk.computer().node(PORT).unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(node.mode, 0o640);
    assert_eq!((node.uid, node.gid), (metadata.uid(), metadata.gid()));
}

#[test]
fn whoever_has_the_port_open_is_named_under_any_of_its_names() {
    let desk = Desk::new();
    desk.process(812, "minicom", &["/dev/null", PORT]);
    desk.process(90, "python3", &[PORT]);
    desk.process(77, "flashwire", &[PORT]);
    desk.process(5, "bash", &["/dev/ttyUSB1"]);
    desk.link("dev/serial/by-id/usb-adapter", "../../ttyUSB0");
    for name in [PORT, "/dev/serial/by-id/usb-adapter"] {
        let holders = desk.computer().holders(name);
        assert_eq!(
            holders,
            [process(90, "python3"), process(812, "minicom")],
            "{name}"
        );
    }
}

#[test]
fn modem_manager_counts_unless_it_only_touches_what_it_is_told_to() {
    let desk = Desk::new();
    assert_eq!(desk.computer().modem_manager(), None);
    desk.process(812, "ModemManager", &[]);
    desk.file(
        "proc/812/cmdline",
        "/usr/sbin/ModemManager\0--filter-policy=strict",
    );
    assert_eq!(
        desk.computer().modem_manager(),
        Some(process(812, "ModemManager"))
    );
    desk.file(
        "proc/812/cmdline",
        "/usr/sbin/ModemManager\0--filter-policy=whitelist-only",
    );
    assert_eq!(desk.computer().modem_manager(), None);
}

#[test]
fn a_port_is_open_to_modem_manager_until_a_rule_says_otherwise() {
    let desk = Desk::new();
    desk.adapter();
    let open = || desk.computer().is_open_to_modem_manager(PORT);
    assert!(open());
    desk.file(
        "run/udev/data/c189:4",
        "E:ID_BUS=usb\nE:ID_MM_CANDIDATE=1\n",
    );
    assert!(open());
    desk.file("run/udev/data/c189:4", "E:ID_MM_DEVICE_IGNORE=1\n");
    assert!(!open(), "told of the USB device");
    desk.file("run/udev/data/c189:4", "");
    desk.file("run/udev/data/c188:0", "E:ID_MM_PORT_IGNORE=1\n");
    assert!(!open(), "told of the port");
    fs::remove_file(desk.path("run/udev/data/c188:0")).unwrap();
    desk.file("run/udev/data/+usb:1-2:1.0", "E:ID_MM_PORT_IGNORE=1\n");
    assert!(!open(), "told of the interface");
}

#[test]
fn ports_that_are_not_usb_are_nothing_to_modem_manager() {
    let desk = Desk::new();
    desk.file("dev/ttyS0", "");
    desk.file("sys/class/tty/ttyS0/dev", "4:64\n");
    desk.file("sys/devices/pnp0/00:00/id", "");
    desk.link("sys/class/tty/ttyS0/device", "../../../devices/pnp0/00:00");
    assert!(!desk.computer().is_open_to_modem_manager("/dev/ttyS0"));
    assert!(!desk.computer().is_open_to_modem_manager("/dev/pts/3"));
}

#[test]
fn an_adapter_without_a_port_is_found_with_what_took_it() {
    let desk = Desk::new();
    let device = |name: &str, vid: &str, pid: &str| {
        desk.file(&format!("sys/devices/usb1/{name}/idVendor"), vid);
        desk.file(&format!("sys/devices/usb1/{name}/idProduct"), pid);
        desk.file(
            &format!("sys/devices/usb1/{name}/{name}:1.0/bNumEndpoints"),
            "03",
        );
        desk.link(
            &format!("sys/bus/usb/devices/{name}"),
            &format!("../../../devices/usb1/{name}"),
        );
    };
    device("1-1", "1a86\n", "7523\n");
    device("1-2", "0403\n", "6001\n");
    // A mouse, and a J-Link that has no virtual port.
    device("1-3", "046d\n", "c077\n");
    device("1-4", "1366\n", "0101\n");
    desk.link(
        "sys/devices/usb1/1-1/1-1:1.0/driver",
        "../../../../bus/usb/drivers/usbfs",
    );
    let idle = |computer: Computer| -> Vec<(u16, Option<String>)> {
        let idle = computer.idle_adapters().into_iter();
        idle.map(|(adapter, taker)| (adapter.pid, taker)).collect()
    };
    assert_eq!(
        idle(desk.computer()),
        [(0x7523, Some("usbfs".to_owned())), (0x6001, None)]
    );
    desk.file("sys/devices/usb1/1-2/1-2:1.0/ttyUSB0/port_number", "0");
    assert_eq!(idle(desk.computer()), [(0x7523, Some("usbfs".to_owned()))]);
}

#[test]
fn commands_are_those_of_the_system() {
    let system = |files: &[&str]| {
        let desk = Desk::new();
        files.iter().for_each(|file| desk.file(file, ""));
        desk.computer().system(Some(20))
    };
    let debian = system(&["usr/bin/sudo", "usr/sbin/usermod"]);
    assert_eq!(
        (debian.elevate, debian.groups),
        (Some("sudo"), GroupTool::Usermod)
    );
    let alpine = system(&["usr/bin/doas"]);
    assert_eq!(
        (alpine.elevate, alpine.groups),
        (Some("doas"), GroupTool::Addgroup)
    );
    let nixos = system(&["etc/NIXOS", "usr/sbin/usermod"]);
    assert_eq!((nixos.elevate, nixos.groups), (None, GroupTool::Nix));
    assert!(system(&["run/.containerenv"]).container);
}

#[test]
fn a_computer_without_these_files_knows_nothing_and_says_so() {
    let empty = tempfile::tempdir().unwrap();
    let computer = Computer::at(empty.path());
    assert_eq!(computer.account(), None);
    assert_eq!(computer.node(PORT), None);
    assert_eq!(computer.holders(PORT), []);
    assert_eq!(computer.modem_manager(), None);
    assert_eq!(computer.idle_adapters(), []);
    assert!(!computer.is_open_to_modem_manager(PORT));
}

fn sudo() -> System {
    System {
        elevate: Some("sudo"),
        ..System::default()
    }
}

fn denied(denial: Denial, system: System) -> Finding {
    let port = PORT.to_owned();
    Finding::Denied {
        port,
        denial,
        system,
    }
}

fn not_in_group() -> Denial {
    Denial::NotInGroup {
        user: "anna".to_owned(),
        group: "dialout".to_owned(),
    }
}

/// Every finding, in the order of the file.
fn samples() -> Vec<Finding> {
    let port = || PORT.to_owned();
    let minicom = || vec![process(812, "minicom")];
    let settings = Settings::even(115_200);
    let heard = |bytes: &[u8]| Sample::new(bytes);
    let groups = |groups| System { groups, ..sudo() };
    let unopened = |source| {
        let link = port();
        Error::from(Problem::Open { link, source })
    };
    vec![
        Finding::Usable {
            port: port(),
            what: Some("WCH CH340 adapter".to_owned()),
            driver: Some("ch341".to_owned()),
        },
        Finding::Opened {
            port: "/dev/pts/3".to_owned(),
        },
        Finding::Answers {
            part: "STM32F10xxx Medium-density".to_owned(),
            link: "/dev/ttyUSB0 (115200 8E1)".to_owned(),
            wiring: Some("dtr=nrst,rts=boot0".to_owned()),
        },
        Finding::ReadProtected,
        Finding::NoPorts,
        Finding::IdleAdapter {
            adapter: Adapter {
                vid: 0x1a86,
                pid: 0x7523,
                what: "WCH CH340 adapter".to_owned(),
            },
            taken_by: Some("usbfs".to_owned()),
        },
        Finding::IdleAdapter {
            adapter: Adapter {
                vid: 0x10c4,
                pid: 0xea60,
                what: "Silicon Labs CP210x adapter".to_owned(),
            },
            taken_by: None,
        },
        Finding::ModemManager {
            port: port(),
            process: process(812, "ModemManager"),
            system: sudo(),
        },
        Finding::Shared {
            port: port(),
            holders: vec![process(90, "python3"), process(812, "minicom")],
        },
        Finding::Missing {
            port: port(),
            others: vec!["/dev/ttyACM0".to_owned(), "/dev/ttyS0".to_owned()],
        },
        Finding::NotSerial {
            port: "/dev/null".to_owned(),
            what: "it is a device of the class `mem`".to_owned(),
        },
        denied(not_in_group(), sudo()),
        denied(not_in_group(), groups(GroupTool::Addgroup)),
        denied(not_in_group(), groups(GroupTool::Nix)),
        denied(not_in_group(), groups(GroupTool::CopyFirst)),
        denied(
            not_in_group(),
            System {
                container: true,
                ..sudo()
            },
        ),
        denied(
            Denial::StaleLogin {
                user: "anna".to_owned(),
                group: "dialout".to_owned(),
            },
            sudo(),
        ),
        denied(
            Denial::OwnerOnly {
                mode: "rw-------".to_owned(),
            },
            System::default(),
        ),
        denied(Denial::Policy, sudo()),
        Finding::Busy {
            port: port(),
            holders: minicom(),
            system: sudo(),
        },
        Finding::Busy {
            port: port(),
            holders: vec![process(812, "ModemManager")],
            system: sudo(),
        },
        Finding::Busy {
            port: port(),
            holders: Vec::new(),
            system: sudo(),
        },
        Finding::Unopened(unopened(LinkError::Unsupported("4000000 baud".to_owned()))),
        Finding::Silence {
            settings,
            wirings: vec!["dtr=nrst,rts=boot0".to_owned()],
        },
        Finding::Echo,
        Finding::LineLow,
        Finding::Pulses {
            sample: heard(&[0xFF; 3]),
        },
        Finding::Application {
            sample: heard(b"tick 17\r\n"),
            settings: Some(Settings::plain(9600)),
        },
        Finding::Application {
            sample: heard(&[0xE6, 0x01, 0x98]),
            settings: None,
        },
        Finding::Serprog,
        Finding::OtherProtocol {
            asked: "serprog",
            speaks: "nfd",
        },
        Finding::OtherSpeed {
            baud: 115_200,
            answers: 57_600,
        },
        Finding::Parity {
            settings: Settings::plain(115_200),
            works: Some(settings),
        },
        Finding::Parity {
            settings,
            works: None,
        },
        Finding::Garbage {
            sample: heard(&[0xFE, 0x9E]),
            settings,
        },
        Finding::Failed(Error::from(LinkError::Closed).on(PORT, "/dev/ttyUSB0 (115200 8E1)")),
    ]
}

/// As people read it, with the exit status.
fn render(finding: &Finding) -> String {
    let mut text = format!(
        "{}[{}]: {finding} (exit {})\n",
        finding.verdict().word(),
        finding.code(),
        finding.exit() as u8
    );
    for fact in finding.facts() {
        text.push_str(&format!("  {fact}\n"));
    }
    for advice in finding.advice() {
        text.push_str(&format!("  try: {}\n", advice.text));
        if let Some(command) = advice.command {
            text.push_str(&format!("       {command}\n"));
        }
    }
    text
}

#[test]
fn every_finding_renders_as_the_file_shows() {
    let all: Vec<String> = samples().iter().map(render).collect();
    let rendered = all.join("\n");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctor.txt");
    if std::env::var_os("FLASHWIRE_UPDATE").is_some() {
        fs::write(path, &rendered).unwrap();
    }
    let shown = fs::read_to_string(path).unwrap();
    for (now, then) in rendered.split("\n\n").zip(shown.split("\n\n")) {
        assert_eq!(now, then);
    }
    assert_eq!(rendered, shown);
}

#[test]
fn what_is_wrong_says_what_to_do_and_ends_the_process_with_an_error() {
    for finding in samples() {
        let wrong = finding.verdict() == Verdict::Wrong;
        let fine = finding.verdict() == Verdict::Fine;
        assert_eq!(finding.exit() != Exit::Done, wrong, "{finding}");
        assert_eq!(finding.advice().is_empty(), fine, "{finding}");
        let sentence = finding.to_string();
        assert!(
            !sentence.ends_with('.') && !sentence.contains(['{', '}']),
            "{sentence}"
        );
    }
}

#[test]
fn the_first_thing_that_is_wrong_decides_the_exit_status() {
    let risky = || Finding::ReadProtected;
    assert_eq!(exit(&[]), Exit::Done);
    assert_eq!(exit(&[risky()]), Exit::Done);
    assert_eq!(
        exit(&[risky(), Finding::Echo, Finding::NoPorts]),
        Exit::Silent
    );
    assert_eq!(exit(&[Finding::NoPorts, Finding::Echo]), Exit::Port);
}
