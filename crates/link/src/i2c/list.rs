//! The I2C buses that this computer has: `/sys/class/i2c-dev` of Linux.

use std::fs;
use std::io;
use std::path::Path;

use crate::LinkError;

/// An I2C bus of this computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bus {
    /// The name to open it by: `/dev/i2c-1`.
    pub name: String,
    /// What the system calls its controller: `bcm2835 (i2c@7e804000)`.
    pub controller: Option<String>,
}

/// Lists the buses in the order of their numbers. Nothing is opened, nobody on them is asked.
///
/// # Errors
/// [`LinkError::Io`] if the system gives no list. A system without buses is an empty list.
pub fn buses() -> Result<Vec<Bus>, LinkError> {
    below(Path::new("/"))
}

/// The buses of the system whose root directory is `root`.
fn below(root: &Path) -> Result<Vec<Bus>, LinkError> {
    let class = match fs::read_dir(root.join("sys/class/i2c-dev")) {
        Ok(class) => class,
        // No bus, no module i2c-dev, or no Linux.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(LinkError::Io(error)),
    };
    let mut numbered = Vec::new();
    for entry in class {
        let entry = entry?;
        let node = entry.file_name().to_string_lossy().into_owned();
        let number = node.strip_prefix("i2c-").and_then(|n| n.parse().ok());
        let Some(number) = number.filter(|_: &u32| root.join("dev").join(&node).exists()) else {
            continue;
        };
        let controller = fs::read_to_string(entry.path().join("name"))
            .ok()
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty());
        let name = format!("/dev/{node}");
        numbered.push((number, Bus { name, controller }));
    }
    numbered.sort_by_key(|(number, _)| *number);
    Ok(numbered.into_iter().map(|(_, bus)| bus).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buses_with_a_device_node_are_listed_in_the_order_of_their_numbers() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(below(root.path()).unwrap(), []);
        let class = root.path().join("sys/class/i2c-dev");
        fs::create_dir_all(root.path().join("dev")).unwrap();
        for (bus, name) in [("i2c-10", "last\n"), ("i2c-2", "\n"), ("i2c-3", "no node")] {
            fs::create_dir_all(class.join(bus)).unwrap();
            fs::write(class.join(bus).join("name"), name).unwrap();
        }
        for bus in ["i2c-10", "i2c-2"] {
            fs::write(root.path().join("dev").join(bus), "").unwrap();
        }
        let bus = |name: &str, controller: Option<&str>| Bus {
            name: name.to_owned(),
            controller: controller.map(str::to_owned),
        };
        let expected = [bus("/dev/i2c-2", None), bus("/dev/i2c-10", Some("last"))];
        assert_eq!(below(root.path()).unwrap(), expected);
    }
}
