//! What a line sounds like: judging bytes that no loader has sent.

/// Bytes that were heard; the first of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample(Vec<u8>);

/// Most bytes that are kept.
const KEPT_BYTES: usize = 64;

/// Fewest bytes that can be called text.
const TEXT_BYTES: usize = 4;

impl Sample {
    /// The first of `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes[..bytes.len().min(KEPT_BYTES)].to_vec())
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is something, and it is nothing but `byte`.
    pub(super) fn is_only(&self, byte: u8) -> bool {
        !self.is_empty() && self.0.iter().all(|&heard| heard == byte)
    }

    /// Whether people could read it: enough of it, and at most one byte in ten is none that a
    /// terminal shows. The first may be the rest of one that was cut.
    pub(super) fn is_text(&self) -> bool {
        let strange = self.0.iter().filter(|&&byte| !is_shown(byte)).count();
        self.len() >= TEXT_BYTES && (strange.saturating_sub(1)) * 10 <= self.len()
    }

    /// Its first whole line as text, in quotes. What comes first may have been cut.
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let mut lines = text
            .split(['\r', '\n'])
            .map(str::trim)
            .filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default();
        format!("{:?}", lines.next().unwrap_or(first))
    }

    /// As hexadecimal numbers.
    pub fn hex(&self) -> String {
        let bytes: Vec<String> = self.0.iter().map(|byte| format!("{byte:02X}")).collect();
        bytes.join(" ")
    }
}

fn is_shown(byte: u8) -> bool {
    byte.is_ascii_graphic() || matches!(byte, b' ' | b'\r' | b'\n' | b'\t' | 0x1B)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_noise() {
        let text = |bytes: &[u8]| Sample::new(bytes).is_text();
        assert!(text(b"ready\r\n> "));
        assert!(text(b"\xF3tick 17\r\n"), "the first byte was cut");
        assert!(!text(b"ok"), "too short to tell");
        assert!(!text(&[0xE6, 0x41, 0x98, 0x42, 0x03, 0x07]));
        assert!(!text(&[0; 20]));
        assert!(!text(&[0xFF; 20]));
    }

    #[test]
    fn a_sample_shows_its_beginning() {
        let sample = Sample::new(&[b'x'; 500]);
        assert_eq!(sample.len(), KEPT_BYTES);
        assert_eq!(Sample::new(b"ck 6\r\ntick 7\r\nti").text(), r#""tick 7""#);
        assert_eq!(Sample::new(b"\r\nhi \"you\"").text(), r#""hi \"you\"""#);
        assert_eq!(Sample::new(&[0x0A, 0xFE]).hex(), "0A FE");
    }
}
