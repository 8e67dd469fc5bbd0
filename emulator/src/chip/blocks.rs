//! Which registers are where: RM0008 rev 21, table 3.

use crate::time::Time;

use super::clocks::{BDCR_BDRST, Gate};
use super::pins::Port;
use super::{Chip, Refusal};

/// A block of registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// TIM1 to TIM4, counted from 0.
    Timer(usize),
    Rtc,
    Wwdg,
    Iwdg,
    /// SPI1 and SPI2, counted from 0.
    Spi(usize),
    /// USART1 to USART3, counted from 0.
    Usart(usize),
    /// I2C1 and I2C2, counted from 0.
    I2c(usize),
    Usb,
    UsbMemory,
    Can,
    Bkp,
    Pwr,
    Afio,
    Exti,
    Gpio(Port),
    /// ADC1 and ADC2, counted from 0.
    Adc(usize),
    Dma,
    Rcc,
    Flash,
    Crc,
    /// DBGMCU, in the core's private space.
    DebugMcu,
}

/// Every block that a reset register can reset.
const RESETTABLE: [Block; 23] = [
    Block::Timer(0),
    Block::Timer(1),
    Block::Timer(2),
    Block::Timer(3),
    Block::Wwdg,
    Block::Spi(0),
    Block::Spi(1),
    Block::Usart(0),
    Block::Usart(1),
    Block::Usart(2),
    Block::I2c(0),
    Block::I2c(1),
    Block::Adc(0),
    Block::Adc(1),
    Block::Usb,
    Block::Can,
    Block::Pwr,
    Block::Afio,
    Block::Gpio(Port::A),
    Block::Gpio(Port::B),
    Block::Gpio(Port::C),
    Block::Gpio(Port::D),
    Block::Gpio(Port::E),
];

impl Block {
    /// The block at an address, and the offset in it.
    pub(super) fn at(address: u32) -> Option<(Self, u32)> {
        let block = match address & !0x3ff {
            0x4000_0000 => Self::Timer(1),
            0x4000_0400 => Self::Timer(2),
            0x4000_0800 => Self::Timer(3),
            0x4000_2800 => Self::Rtc,
            0x4000_2c00 => Self::Wwdg,
            0x4000_3000 => Self::Iwdg,
            0x4000_3800 => Self::Spi(1),
            0x4000_4400 => Self::Usart(1),
            0x4000_4800 => Self::Usart(2),
            0x4000_5400 => Self::I2c(0),
            0x4000_5800 => Self::I2c(1),
            0x4000_5c00 => Self::Usb,
            0x4000_6000 => Self::UsbMemory,
            0x4000_6400 => Self::Can,
            0x4000_6c00 => Self::Bkp,
            0x4000_7000 => Self::Pwr,
            0x4001_0000 => Self::Afio,
            0x4001_0400 => Self::Exti,
            0x4001_0800 => Self::Gpio(Port::A),
            0x4001_0c00 => Self::Gpio(Port::B),
            0x4001_1000 => Self::Gpio(Port::C),
            0x4001_1400 => Self::Gpio(Port::D),
            0x4001_1800 => Self::Gpio(Port::E),
            0x4001_2400 => Self::Adc(0),
            0x4001_2800 => Self::Adc(1),
            0x4001_2c00 => Self::Timer(0),
            0x4001_3000 => Self::Spi(0),
            0x4001_3800 => Self::Usart(0),
            0x4002_0000 => Self::Dma,
            0x4002_1000 => Self::Rcc,
            0x4002_2000 => Self::Flash,
            0x4002_3000 => Self::Crc,
            0xe004_2000 => Self::DebugMcu,
            _ => return None,
        };
        Some((block, address & 0x3ff))
    }

    /// Its name in the manual.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Timer(index) => ["TIM1", "TIM2", "TIM3", "TIM4"][index],
            Self::Rtc => "RTC",
            Self::Wwdg => "WWDG",
            Self::Iwdg => "IWDG",
            Self::Spi(index) => ["SPI1", "SPI2"][index],
            Self::Usart(index) => ["USART1", "USART2", "USART3"][index],
            Self::I2c(index) => ["I2C1", "I2C2"][index],
            Self::Usb => "USB",
            Self::UsbMemory => "USB packet memory",
            Self::Can => "CAN",
            Self::Bkp => "BKP",
            Self::Pwr => "PWR",
            Self::Afio => "AFIO",
            Self::Exti => "EXTI",
            Self::Gpio(port) => ["GPIOA", "GPIOB", "GPIOC", "GPIOD", "GPIOE"][port as usize],
            Self::Adc(index) => ["ADC1", "ADC2"][index],
            Self::Dma => "DMA1",
            Self::Rcc => "RCC",
            Self::Flash => "FLASH",
            Self::Crc => "CRC",
            Self::DebugMcu => "DBGMCU",
        }
    }

    /// The bit that switches its clock: sections 7.3.6 to 7.3.8.
    pub(super) fn gate(self) -> Gate {
        match self {
            Self::Timer(0) => Gate::Apb2(11),
            Self::Timer(index) => Gate::Apb1(index as u32 - 1),
            Self::Wwdg => Gate::Apb1(11),
            Self::Spi(0) => Gate::Apb2(12),
            Self::Spi(_) => Gate::Apb1(14),
            Self::Usart(0) => Gate::Apb2(14),
            Self::Usart(index) => Gate::Apb1(16 + index as u32),
            Self::I2c(index) => Gate::Apb1(21 + index as u32),
            Self::Usb | Self::UsbMemory => Gate::Apb1(23),
            Self::Can => Gate::Apb1(25),
            Self::Bkp => Gate::Apb1(27),
            Self::Pwr => Gate::Apb1(28),
            Self::Afio => Gate::Apb2(0),
            Self::Gpio(port) => Gate::Apb2(2 + port as u32),
            Self::Adc(index) => Gate::Apb2(9 + index as u32),
            Self::Dma => Gate::Ahb(0),
            Self::Crc => Gate::Ahb(6),
            // EXTI's registers are reachable without the clock of AFIO.
            Self::Exti | Self::Rtc | Self::Iwdg | Self::Rcc | Self::Flash | Self::DebugMcu => {
                Gate::Always
            }
        }
    }

    /// Whether it hangs on APB1 or APB2 and not on AHB.
    pub(super) fn is_on_apb(self) -> bool {
        !matches!(
            self,
            Self::Dma | Self::Rcc | Self::Flash | Self::Crc | Self::DebugMcu
        )
    }

    /// Whether an access can change the level of a line of EXTI.
    pub(super) fn moves_lines(self) -> bool {
        matches!(
            self,
            Self::Gpio(_) | Self::Afio | Self::Exti | Self::Usb | Self::Rtc
        )
    }
}

impl Chip {
    /// Whether a read of the register of `block` at `offset` can change an interrupt, a DMA request
    /// or a moment that is waited for. Status registers are read over and over; they do so only if
    /// the read ends an overrun of a SPI (section 25.3.10).
    pub(super) fn reading_changes_state(&self, block: Block, offset: u32) -> bool {
        match (block, offset) {
            (Block::Spi(index), 0x08) => self.spis[index].is_overrun(),
            (Block::Spi(_), 0x0c) | (Block::Usart(_), 0x04) | (Block::Adc(_), 0x4c) => true,
            _ => false,
        }
    }

    /// Reads the register of `block` at `offset`, a multiple of four; None if it is not in the
    /// model.
    pub(super) fn read_block(&mut self, block: Block, offset: u32, now: Time) -> Option<u32> {
        match block {
            Block::Timer(index) => {
                let clock = self.timer_clock(index);
                self.timers[index].read(offset, now, clock)
            }
            Block::Wwdg => self.wwdg.read(offset, now, self.clocks.apb1),
            Block::Iwdg => self.iwdg.read(offset, now),
            Block::Spi(index) => {
                let value = self.spis[index].read(offset);
                if self.spis[index].take_gap() {
                    let text =
                        "a SPI word was received after an overrun: words before it are missing";
                    self.complaints.add(now, self.pc, text);
                }
                value
            }
            Block::Usart(index) => self.usarts[index].read(offset),
            Block::Usb => self.usb.read(offset),
            // Every half-word of the packet memory stands in a word of its own (section 23.5.3).
            Block::UsbMemory => Some(u32::from(self.usb.memory.half((offset / 2) as u16))),
            Block::Bkp => self.bkp.read(offset),
            Block::Pwr => self.pwr.read(offset),
            Block::Afio => self.exti.read_afio(offset),
            Block::Exti => self.exti.read(offset),
            Block::Gpio(port) => self.pins.read(port, offset),
            Block::Dma => self.dma.read(offset),
            Block::Rcc => self.rcc.read(offset, now),
            Block::Flash => self.flash.read(offset, now),
            Block::Crc => self.crc.read(offset),
            // Without a debugger both registers read as zero: ES0340 rev 13, section 2.3.
            Block::DebugMcu => matches!(offset, 0 | 4).then_some(0),
            Block::Rtc => self.rtc.read(offset, now, self.rcc.rtc_clock(now)),
            Block::I2c(index) => self.i2cs[index].read(offset),
            Block::Adc(index) => self.adcs[index].read(offset),
            Block::Can => self.can.read(offset),
        }
    }

    /// Writes the register of `block` at `offset`, a multiple of four.
    pub(super) fn write_block(
        &mut self,
        block: Block,
        offset: u32,
        value: u32,
        now: Time,
    ) -> Result<(), Refusal> {
        let complaint = match block {
            Block::Timer(index) => {
                let clock = self.timer_clock(index);
                self.timers[index].write(offset, value, now, clock)?;
                None
            }
            Block::Wwdg => {
                self.wwdg.write(offset, value, now, self.clocks.apb1)?;
                None
            }
            Block::Iwdg => {
                self.iwdg.write(offset, value, now)?;
                None
            }
            Block::Spi(index) => {
                let (clock, _) = self.spi_clock(index);
                let complaint = self.spis[index].write(offset, value, now, clock)?;
                self.pins_changed(now);
                complaint
            }
            Block::Usart(index) => {
                let clock = self.usart_clock(index);
                let complaint = self.usarts[index].write(offset, value, now, clock)?;
                self.take_output(index, now);
                complaint
            }
            Block::Usb => {
                self.usb.write(offset, value, now)?;
                let clock = self.clocks.usb_hz;
                (self.usb.is_powered() && clock != 48_000_000)
                    .then_some("the USB is on and its clock is not 48 MHz")
            }
            Block::UsbMemory => {
                self.usb.memory.set_half((offset / 2) as u16, value as u16);
                None
            }
            Block::Bkp => {
                let open = self.pwr.opens_backup();
                self.bkp.write(offset, value, open)?;
                None
            }
            Block::Pwr => {
                self.pwr.write(offset, value)?;
                None
            }
            Block::Afio => {
                self.exti.write_afio(offset, value)?;
                self.note_levels();
                self.pins_changed(now);
                None
            }
            Block::Exti => {
                self.note_levels();
                self.exti.write(offset, value)?;
                None
            }
            Block::Gpio(port) => {
                self.pins.write(port, offset, value)?;
                self.pins_changed(now);
                None
            }
            Block::Dma => self.dma.write(offset, value)?,
            Block::Rcc => {
                self.rtc.follow(now, self.rcc.rtc_clock(now));
                if offset == 0x20 && !self.pwr.opens_backup() {
                    return Err(Refusal::Mistake(
                        "RCC_BDCR was written while PWR_CR.DBP was clear",
                    ));
                }
                self.rcc.write(offset, value, now)?;
                if offset == 0x20 && value & BDCR_BDRST != 0 {
                    self.rtc = super::Rtc::new(now);
                    self.bkp = super::Bkp::default();
                }
                // APB2RSTR, APB1RSTR.
                if matches!(offset, 0x0c | 0x10) {
                    self.reset_blocks(now);
                }
                None
            }
            Block::Flash => {
                self.flash.write(offset, value, now)?;
                None
            }
            Block::Crc => {
                self.crc.write(offset, value)?;
                None
            }
            Block::DebugMcu if matches!(offset, 0 | 4) => None,
            Block::Rtc => {
                let (clock, open) = (self.rcc.rtc_clock(now), self.pwr.opens_backup());
                self.rtc.write(offset, value, now, clock, open)?;
                None
            }
            Block::I2c(index) => {
                self.i2cs[index].write(offset, value, now, self.clocks.apb1)?;
                None
            }
            Block::Adc(index) => {
                self.adcs[index].write(offset, value, now, self.clocks.adc)?;
                None
            }
            Block::Can => {
                self.can.write(offset, value, now, self.clocks.apb1)?;
                None
            }
            Block::DebugMcu => return Err(Refusal::Unknown),
        };
        if let Some(text) = complaint {
            self.complaints.add(now, self.pc, text);
        }
        Ok(())
    }

    /// Resets what the reset registers of RCC hold in reset.
    fn reset_blocks(&mut self, now: Time) {
        for block in RESETTABLE {
            if self.rcc.is_reset(block.gate()) {
                self.reset_block(block);
            }
        }
        self.pins_changed(now);
    }

    fn reset_block(&mut self, block: Block) {
        match block {
            Block::Timer(index) => self.timers[index] = super::Timer::new(),
            Block::Wwdg => self.wwdg = super::Wwdg::default(),
            Block::Spi(index) => self.spis[index] = super::Spi::default(),
            Block::Usart(index) => self.usarts[index].reset(),
            Block::I2c(index) => self.i2cs[index] = super::I2c::default(),
            Block::Adc(index) => self.adcs[index] = super::Adc::default(),
            Block::Usb => self.usb.reset(),
            Block::Can => self.can = super::Can::default(),
            Block::Pwr => self.pwr = super::Pwr::default(),
            Block::Afio => self.exti.reset_afio(),
            Block::Gpio(port) => self.pins.reset_port(port),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_where_table_3_says() {
        assert_eq!(Block::at(0x4001_3008), Some((Block::Spi(0), 8)));
        assert_eq!(Block::at(0x4000_5c44), Some((Block::Usb, 0x44)));
        assert_eq!(Block::at(0x4001_2c10), Some((Block::Timer(0), 0x10)));
        assert_eq!(Block::at(0x5000_0000), None);
    }

    #[test]
    fn clocks_are_switched_where_section_7_3_says() {
        assert_eq!(Block::Usart(0).gate(), Gate::Apb2(14));
        assert_eq!(Block::Usart(1).gate(), Gate::Apb1(17));
        assert_eq!(Block::Usart(2).gate(), Gate::Apb1(18));
        assert_eq!(Block::Timer(1).gate(), Gate::Apb1(0));
        assert_eq!(Block::Gpio(Port::C).gate(), Gate::Apb2(4));
        assert_eq!(Block::Spi(1).gate(), Gate::Apb1(14));
    }
}
