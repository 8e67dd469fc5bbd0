//! DMA1: RM0008 rev 21, chapter 13.
//!
//! A transfer happens in the moment in which it is asked for: the few cycles that the bus needs for
//! it, and the contention with the core, are not modelled.

use crate::cpu::instruction::Width;

use super::Refusal;

/// Channels of DMA1.
pub(super) const CHANNELS: usize = 7;

/// DMA_CCRx: section 13.4.3.
const CCR_EN: u32 = 1 << 0;
const CCR_TCIE: u32 = 1 << 1;
const CCR_HTIE: u32 = 1 << 2;
const CCR_TEIE: u32 = 1 << 3;
const CCR_DIR: u32 = 1 << 4;
const CCR_CIRC: u32 = 1 << 5;
const CCR_PINC: u32 = 1 << 6;
const CCR_MINC: u32 = 1 << 7;
const CCR_MEM2MEM: u32 = 1 << 14;
const CCR_BITS: u32 = 0x7fff;

/// Flags of one channel in DMA_ISR: section 13.4.1.
const FLAG_GLOBAL: u32 = 1 << 0;
const FLAG_COMPLETE: u32 = 1 << 1;
const FLAG_HALF: u32 = 1 << 2;
const FLAG_ERROR: u32 = 1 << 3;

#[derive(Clone, Copy, Debug, Default)]
struct Channel {
    ccr: u32,
    left: u32,
    peripheral: u32,
    memory: u32,
    /// What CNDTR was when the channel was enabled.
    reload: u32,
    /// How many transfers have been done since.
    done: u32,
    flags: u32,
}

/// One transfer of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beat {
    /// Where it reads.
    pub(super) source: u32,
    /// How much of it.
    pub(super) source_width: Width,
    /// Where it writes.
    pub(super) target: u32,
    /// How much of it; section 13.3.4, table 77: a narrower source is padded with zeros, a wider
    /// one is cut off.
    pub(super) target_width: Width,
}

/// The controller.
#[derive(Debug, Default)]
pub(super) struct Dma {
    channels: [Channel; CHANNELS],
    /// Channels that would transfer if they were asked to: bit 0 is channel 1.
    armed: u32,
}

impl Dma {
    pub(super) fn read(&self, offset: u32) -> Option<u32> {
        if offset == 0 {
            return Some(self.status());
        }
        // IFCR is write-only.
        if offset == 4 {
            return Some(0);
        }
        let (channel, register) = Self::locate(offset)?;
        let channel = &self.channels[channel];
        Some(match register {
            0 => channel.ccr,
            4 => channel.left,
            8 => channel.peripheral,
            12 => channel.memory,
            _ => 0,
        })
    }

    /// Writes a register. Tells what the program got wrong, if anything.
    pub(super) fn write(
        &mut self,
        offset: u32,
        value: u32,
    ) -> Result<Option<&'static str>, Refusal> {
        let result = self.write_register(offset, value);
        self.arm();
        result
    }

    /// Finds out which channels would transfer.
    fn arm(&mut self) {
        self.armed = (0..).zip(&self.channels).fold(0, |set, (index, channel)| {
            let armed = channel.ccr & CCR_EN != 0 && channel.left != 0;
            set | u32::from(armed) << index
        });
    }

    /// Whether any channel would transfer if it were asked to.
    #[inline]
    pub(super) fn is_armed(&self) -> bool {
        self.armed != 0
    }

    fn write_register(&mut self, offset: u32, value: u32) -> Result<Option<&'static str>, Refusal> {
        match offset {
            // ISR is read-only.
            0 => return Ok(None),
            4 => {
                self.clear(value);
                return Ok(None);
            }
            _ => {}
        }
        let (channel, register) = Self::locate(offset).ok_or(Refusal::Unknown)?;
        let channel = &mut self.channels[channel];
        let running = channel.ccr & CCR_EN != 0;
        match register {
            0 => {
                let value = value & CCR_BITS;
                if running && value & CCR_EN != 0 && value != channel.ccr {
                    channel.ccr = value;
                    return Ok(Some("a DMA channel was reconfigured while it was enabled"));
                }
                if !running && value & CCR_EN != 0 {
                    channel.reload = channel.left;
                    channel.done = 0;
                }
                channel.ccr = value;
            }
            // Sections 13.4.4 to 13.4.6: not while the channel is enabled.
            4 | 8 | 12 if running => {
                return Ok(Some(
                    "count or address of a DMA channel was written while it was enabled",
                ));
            }
            4 => channel.left = value & 0xffff,
            8 => channel.peripheral = value,
            12 => channel.memory = value,
            _ => {}
        }
        Ok(None)
    }

    /// Channel and register of an offset: every channel has 20 bytes.
    fn locate(offset: u32) -> Option<(usize, u32)> {
        let from_first = offset.checked_sub(8)?;
        let channel = (from_first / 20) as usize;
        (channel < CHANNELS).then_some((channel, from_first % 20))
    }

    fn status(&self) -> u32 {
        (0..).zip(&self.channels).fold(0, |word, (index, channel)| {
            let global = u32::from(channel.flags != 0) * FLAG_GLOBAL;
            word | (channel.flags | global) << (4 * index)
        })
    }

    /// IFCR: section 13.4.2. The global bit clears all of a channel's flags.
    fn clear(&mut self, value: u32) {
        for (index, channel) in (0..).zip(&mut self.channels) {
            let bits = value >> (4 * index) & 15;
            channel.flags &= if bits & FLAG_GLOBAL != 0 { 0 } else { !bits };
        }
    }

    /// The channel, of those in `requests` (bit 0 is channel 1), that transfers next: the one with
    /// the highest priority, of equals the lowest (section 13.3.2).
    pub(super) fn next(&self, requests: u32) -> Option<usize> {
        (0..CHANNELS)
            .filter(|&index| {
                let memory_to_memory = self.channels[index].ccr & CCR_MEM2MEM != 0;
                let asked = requests >> index & 1 != 0 || memory_to_memory;
                asked && self.armed >> index & 1 != 0
            })
            .max_by_key(|&index| {
                let priority = self.channels[index].ccr >> 12 & 3;
                (priority, CHANNELS - index)
            })
    }

    /// The next transfer of a channel. Counts it.
    pub(super) fn beat(&mut self, index: usize) -> Beat {
        let channel = &mut self.channels[index];
        let width = |field: u32| match field & 3 {
            0 => Width::Byte,
            1 => Width::Half,
            _ => Width::Word,
        };
        let step = |base: u32, moves: bool, width: Width| {
            let offset = if moves {
                channel.done * width.bytes()
            } else {
                0
            };
            // Addresses are aligned to their width (section 13.4.5).
            base.wrapping_add(offset) & !(width.bytes() - 1)
        };
        let peripheral_width = width(channel.ccr >> 8);
        let memory_width = width(channel.ccr >> 10);
        let peripheral = step(
            channel.peripheral,
            channel.ccr & CCR_PINC != 0,
            peripheral_width,
        );
        let memory = step(channel.memory, channel.ccr & CCR_MINC != 0, memory_width);
        channel.done += 1;
        channel.left -= 1;
        if channel.done == channel.reload / 2 {
            channel.flags |= FLAG_HALF;
        }
        if channel.left == 0 {
            channel.flags |= FLAG_COMPLETE;
            if channel.ccr & CCR_CIRC != 0 {
                channel.left = channel.reload;
                channel.done = 0;
            } else {
                self.armed &= !(1 << index);
            }
        }
        if channel.ccr & CCR_DIR != 0 {
            Beat {
                source: memory,
                source_width: memory_width,
                target: peripheral,
                target_width: peripheral_width,
            }
        } else {
            Beat {
                source: peripheral,
                source_width: peripheral_width,
                target: memory,
                target_width: memory_width,
            }
        }
    }

    /// An access of a channel found nothing: it is switched off (section 13.3.5).
    pub(super) fn fail(&mut self, index: usize) {
        let channel = &mut self.channels[index];
        channel.flags |= FLAG_ERROR;
        channel.ccr &= !CCR_EN;
        self.arm();
    }

    /// Whether a channel raises its interrupt.
    pub(super) fn interrupts(&self, index: usize) -> bool {
        let channel = &self.channels[index];
        let enabled = channel.ccr & (CCR_TCIE | CCR_HTIE | CCR_TEIE);
        // The enable bits stand where the flags stand.
        channel.flags & enabled != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_channel_2(ccr: u32, count: u32) -> Dma {
        let mut dma = Dma::default();
        dma.write(0x20, count).unwrap();
        dma.write(0x24, 0x4001_300c).unwrap();
        dma.write(0x28, 0x2000_0101).unwrap();
        dma.write(0x1c, ccr | CCR_EN).unwrap();
        dma
    }

    #[test]
    fn the_memory_address_counts_up_and_is_aligned() {
        let mut dma = with_channel_2(CCR_MINC | 1 << 10, 3);
        let targets: Vec<u32> = (0..3).map(|_| dma.beat(1).target).collect();
        assert_eq!(targets, [0x2000_0100, 0x2000_0102, 0x2000_0104]);
    }

    #[test]
    fn half_and_end_are_flagged_and_the_global_bit_clears_both() {
        let mut dma = with_channel_2(CCR_TCIE, 4);
        dma.beat(1);
        assert_eq!(dma.read(0), Some(0));
        dma.beat(1);
        assert_eq!(dma.read(0), Some(0x50), "half and global");
        assert!(!dma.interrupts(1));
        dma.beat(1);
        dma.beat(1);
        assert_eq!(dma.read(0), Some(0x70));
        assert!(dma.interrupts(1));
        assert_eq!(dma.next(0b10), None, "nothing is left");
        dma.write(4, 0x10).unwrap();
        assert_eq!(dma.read(0), Some(0));
    }

    #[test]
    fn a_circular_channel_begins_again() {
        let mut dma = with_channel_2(CCR_CIRC | CCR_MINC, 2);
        let targets: Vec<u32> = (0..4).map(|_| dma.beat(1).target).collect();
        assert_eq!(
            targets,
            [0x2000_0101, 0x2000_0102, 0x2000_0101, 0x2000_0102]
        );
    }

    #[test]
    fn priority_goes_before_number() {
        let mut dma = with_channel_2(0, 1);
        dma.write(0x34, 1).unwrap();
        dma.write(0x30, CCR_EN).unwrap();
        assert_eq!(dma.next(0b110), Some(1));
        dma.write(0x30, 0).unwrap();
        dma.write(0x30, CCR_EN | 1 << 12).unwrap();
        assert_eq!(dma.next(0b110), Some(2));
        assert_eq!(dma.next(0b010), Some(1));
        assert_eq!(dma.next(0), None);
    }

    #[test]
    fn an_enabled_channel_keeps_its_count_and_addresses() {
        let mut dma = with_channel_2(0, 5);
        assert!(dma.write(0x20, 9).unwrap().is_some());
        assert_eq!(dma.read(0x20), Some(5));
    }
}
