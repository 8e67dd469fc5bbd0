//! A COM port on Windows, whose reads and writes take their time limits from the port's settings.

use std::io::{self, Read, Write};
use std::time::Duration;

use serialport::{COMPort, ClearBuffer, ErrorKind, SerialPort};

use super::Modem;
use crate::{LinkError, Parity, Settings, StopBits};

/// `ERROR_SEM_TIMEOUT` and what drivers report when an adapter has been pulled out:
/// `ERROR_BAD_COMMAND`, `ERROR_GEN_FAILURE`, `ERROR_ACCESS_DENIED`, `ERROR_OPERATION_ABORTED`,
/// `ERROR_DEVICE_NOT_CONNECTED` (Windows SDK, `winerror.h`).
const GONE: [i32; 5] = [22, 31, 5, 995, 1167];

#[derive(Debug)]
pub(super) struct Port {
    com: COMPort,
    /// The limit that the port has now: setting it is a call into the driver.
    limit: Duration,
}

impl Port {
    pub(super) fn open(name: &str) -> Result<Self, LinkError> {
        // As on Linux: CDC devices are silent towards a host without DTR.
        let mut com = serialport::new(name, 9600)
            .dtr_on_open(true)
            .open_native()
            .map_err(|error| not_opened(name, error))?;
        let _ = com.write_request_to_send(true);
        let limit = com.timeout();
        Ok(Self { com, limit })
    }

    /// What has arrived: at least one byte, or 0 if nothing did within `wait`.
    pub(super) fn read(&mut self, buffer: &mut [u8], wait: Duration) -> Result<usize, LinkError> {
        if wait.is_zero() && self.com.bytes_to_read().map_err(broken_port)? == 0 {
            return Ok(0);
        }
        self.limit(wait)?;
        match self.com.read(buffer) {
            Ok(count) => Ok(count),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(0),
            Err(error) => Err(broken(error)),
        }
    }

    /// How many bytes the port took within `wait`.
    pub(super) fn write(&mut self, bytes: &[u8], wait: Duration) -> Result<usize, LinkError> {
        self.limit(wait)?;
        match self.com.write(bytes) {
            Ok(count) => Ok(count),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(0),
            Err(error) => Err(broken(error)),
        }
    }

    /// Sets what of `settings` is not `known` to be in force.
    pub(super) fn configure(
        &mut self,
        settings: Settings,
        known: Option<Settings>,
    ) -> Result<(), LinkError> {
        let parity = match settings.parity {
            Parity::None => serialport::Parity::None,
            Parity::Even => serialport::Parity::Even,
            Parity::Odd => serialport::Parity::Odd,
        };
        let stop_bits = match settings.stop_bits {
            StopBits::One => serialport::StopBits::One,
            StopBits::Two => serialport::StopBits::Two,
        };
        // What became of the format is read back.
        if known.is_none() {
            let _ = self.com.set_data_bits(serialport::DataBits::Eight);
            let _ = self.com.set_flow_control(serialport::FlowControl::None);
        }
        if known.map(|known| known.parity) != Some(settings.parity) {
            let _ = self.com.set_parity(parity);
        }
        if known.map(|known| known.stop_bits) != Some(settings.stop_bits) {
            let _ = self.com.set_stop_bits(stop_bits);
        }
        if known.map(|known| known.baud) == Some(settings.baud) {
            return Ok(());
        }
        self.com
            .set_baud_rate(settings.baud)
            .map_err(|error| LinkError::Unsupported(format!("{} baud ({error})", settings.baud)))
    }

    /// The parity in force, if the port tells.
    pub(super) fn parity(&self) -> Option<Parity> {
        self.com.parity().ok().map(|parity| match parity {
            serialport::Parity::None => Parity::None,
            serialport::Parity::Even => Parity::Even,
            serialport::Parity::Odd => Parity::Odd,
        })
    }

    /// The speed in force, if the port tells.
    pub(super) fn baud(&self) -> Option<u32> {
        self.com.baud_rate().ok()
    }

    /// The speed in force before anybody sets one, if the port tells.
    pub(super) fn speed_before(&self) -> Option<u32> {
        self.baud().filter(|speed| *speed > 0)
    }

    /// Bytes that were sent and wait in the computer for the wire.
    pub(super) fn queued(&self) -> Result<usize, LinkError> {
        let count = self.com.bytes_to_write().map_err(broken_port)?;
        Ok(count as usize)
    }

    /// Waits until the port's own buffer has left too.
    pub(super) fn drain(&mut self) -> Result<(), LinkError> {
        self.com.flush().map_err(broken)
    }

    /// `false` if the port has no such lines.
    pub(super) fn set_modem(&mut self, modem: Modem) -> Result<bool, LinkError> {
        let mut moved = true;
        if let Some(on) = modem.dtr {
            moved &= self.com.write_data_terminal_ready(on).is_ok();
        }
        if let Some(on) = modem.rts {
            moved &= self.com.write_request_to_send(on).is_ok();
        }
        self.com.bytes_to_read().map_err(broken_port)?;
        Ok(moved)
    }

    /// `false` if the port cannot.
    pub(super) fn set_break(&mut self, on: bool) -> Result<bool, LinkError> {
        let result = if on {
            self.com.set_break()
        } else {
            self.com.clear_break()
        };
        Ok(result.is_ok())
    }

    pub(super) fn discard_input(&mut self) -> Result<(), LinkError> {
        self.com.clear(ClearBuffer::Input).map_err(broken_port)
    }

    /// Sets the limit of the next read or write. Windows counts in milliseconds and takes 0 for no
    /// limit at all.
    fn limit(&mut self, wait: Duration) -> Result<(), LinkError> {
        let limit = Duration::from_millis(wait.as_micros().div_ceil(1000).max(1) as u64);
        if limit != self.limit {
            self.com.set_timeout(limit).map_err(broken_port)?;
            self.limit = limit;
        }
        Ok(())
    }
}

/// What an error while opening means. `serialport` reports a missing and a busy port alike; the one
/// that is listed is there, so that somebody has it.
fn not_opened(name: &str, error: serialport::Error) -> LinkError {
    match error.kind() {
        ErrorKind::NoDevice => {
            let bare = name.trim_start_matches(r"\\.\");
            let listed = serialport::available_ports().is_ok_and(|ports| {
                ports
                    .iter()
                    .any(|port| port.port_name.eq_ignore_ascii_case(bare))
            });
            if listed {
                LinkError::Busy
            } else {
                LinkError::NotFound
            }
        }
        _ => LinkError::NotAPort(error.to_string()),
    }
}

/// What an error while reading or writing means.
fn broken(error: io::Error) -> LinkError {
    match error.raw_os_error() {
        Some(code) if GONE.contains(&code) => LinkError::Closed,
        _ => LinkError::Io(error),
    }
}

/// The same for a call of which `serialport` keeps no code: these fail only when the port is gone.
fn broken_port(_: serialport::Error) -> LinkError {
    LinkError::Closed
}
