//! Where interrupts and events come from.
//!
//! Each source keeps its interrupt lines and the moment at which it wants to be looked at, so that
//! an access to one register costs a look at one source.

use crate::time::Time;

use super::blocks::Block;
use super::clocks::ResetCause;
use super::dma::CHANNELS;
use super::pins::{Pin, Port};
use super::{Chip, Iwdg, Wwdg, adc, exti};

/// A peripheral that interrupts, or that does something by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Dma,
    Exti,
    Usb,
    Flash,
    Rcc,
    Iwdg,
    Wwdg,
    /// TIM1 to TIM4, counted from 0.
    Timer(usize),
    /// SPI1 and SPI2, counted from 0.
    Spi(usize),
    /// USART1 to USART3, counted from 0.
    Usart(usize),
    Rtc,
    /// ADC1 and ADC2, counted from 0.
    Adc(usize),
    /// I2C1 and I2C2, counted from 0.
    I2c(usize),
    Can,
}

impl Source {
    /// How many there are.
    pub(super) const COUNT: usize = 22;

    /// All of them.
    pub(super) const ALL: [Self; Self::COUNT] = [
        Self::Dma,
        Self::Exti,
        Self::Usb,
        Self::Flash,
        Self::Rcc,
        Self::Iwdg,
        Self::Wwdg,
        Self::Timer(0),
        Self::Timer(1),
        Self::Timer(2),
        Self::Timer(3),
        Self::Spi(0),
        Self::Spi(1),
        Self::Usart(0),
        Self::Usart(1),
        Self::Usart(2),
        Self::Rtc,
        Self::Adc(0),
        Self::Adc(1),
        Self::I2c(0),
        Self::I2c(1),
        Self::Can,
    ];

    /// Its place in [`ALL`](Self::ALL).
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Dma => 0,
            Self::Exti => 1,
            Self::Usb => 2,
            Self::Flash => 3,
            Self::Rcc => 4,
            Self::Iwdg => 5,
            Self::Wwdg => 6,
            Self::Timer(index) => 7 + index,
            Self::Spi(index) => 11 + index,
            Self::Usart(index) => 13 + index,
            Self::Rtc => 16,
            Self::Adc(index) => 17 + index,
            Self::I2c(index) => 19 + index,
            Self::Can => 21,
        }
    }
}

impl Block {
    /// The source that an access to the block may change; None for those that change none, and for
    /// RCC, which may change all.
    pub(super) const fn source(self) -> Option<Source> {
        Some(match self {
            Self::Timer(index) => Source::Timer(index),
            Self::Wwdg => Source::Wwdg,
            Self::Iwdg => Source::Iwdg,
            Self::Spi(index) => Source::Spi(index),
            Self::Usart(index) => Source::Usart(index),
            Self::Usb => Source::Usb,
            Self::Exti | Self::Afio => Source::Exti,
            Self::Dma => Source::Dma,
            Self::Flash => Source::Flash,
            Self::Rtc => Source::Rtc,
            Self::Adc(index) => Source::Adc(index),
            Self::I2c(index) => Source::I2c(index),
            Self::Can => Source::Can,
            _ => return None,
        })
    }
}

impl Chip {
    /// Looks at a source again. On its own: inside the loop of its caller, what the rarer sources
    /// need would be computed ahead each time.
    #[inline(never)]
    pub(super) fn update(&mut self, source: Source, now: Time) {
        if source == Source::Exti && self.exti.watches_edges() {
            let others = self.internal_lines();
            let pins = &self.pins;
            self.exti.look(|port| pins.inputs(port), others);
        }
        let index = source.index();
        let lines = self.lines_of(source);
        if std::mem::replace(&mut self.lines[index], lines) != lines {
            self.all_lines = self.lines.iter().fold(0, |all, lines| all | lines);
        }
        let event = self.next_event_of(source, now);
        self.events[index] = event;
        self.first_event = self.first_event.min(event);
    }

    /// The lines of EXTI that are no pins.
    fn internal_lines(&self) -> u32 {
        let wakes = if self.usb.wakes() {
            exti::USB_WAKE_UP
        } else {
            0
        };
        let rings = if self.rtc.rings() { exti::RTC_ALARM } else { 0 };
        wakes | rings
    }

    /// Levels of its lines as they are, before or after EXTI or AFIO is written.
    pub(super) fn note_levels(&mut self) {
        let others = self.internal_lines();
        let pins = &self.pins;
        self.exti.note(|port| pins.inputs(port), others);
    }

    /// Levels of the interrupt lines of a source: RM0008 rev 21, table 63.
    fn lines_of(&self, source: Source) -> u64 {
        let line = |number: usize, level: bool| u64::from(level) << number;
        match source {
            Source::Dma => (0..CHANNELS).fold(0, |lines, channel| {
                lines | line(11 + channel, self.dma.interrupts(channel))
            }),
            Source::Exti => self.exti.interrupts(),
            Source::Usb => {
                let (high, low) = self.usb.interrupts();
                line(19, high) | line(20, low)
            }
            Source::Flash => line(4, self.flash.interrupts()),
            Source::Rcc | Source::Iwdg => 0,
            Source::Wwdg => line(0, self.wwdg.interrupts()),
            // TIM1 has a line for the update, one for the trigger and one for the channels.
            Source::Timer(0) => {
                let flags = self.timers[0].interrupts();
                line(25, flags & 1 != 0) | line(26, flags & 0x40 != 0) | line(27, flags & 0x1e != 0)
            }
            Source::Timer(index) => line(27 + index, self.timers[index].interrupts() != 0),
            Source::Spi(index) => line(35 + index, self.spis[index].interrupts()),
            Source::Usart(index) => line(37 + index, self.usarts[index].interrupts()),
            Source::Rtc => line(3, self.rtc.interrupts()),
            // Both ADCs have one line.
            Source::Adc(index) => line(18, self.adcs[index].interrupts()),
            Source::I2c(index) => {
                let (event, error) = self.i2cs[index].interrupts();
                line(31 + 2 * index, event) | line(32 + 2 * index, error)
            }
            // The first two are the USB's too.
            Source::Can => {
                let levels = self.can.interrupts().into_iter();
                (19..)
                    .zip(levels)
                    .fold(0, |lines, (number, level)| lines | line(number, level))
            }
        }
    }

    /// When a source wants to be looked at.
    fn next_event_of(&self, source: Source, now: Time) -> Time {
        match source {
            Source::Dma | Source::Exti => Time::NEVER,
            Source::Usb => self.usb.next_event(),
            Source::Flash => self.flash.next_event(),
            Source::Rcc => self.rcc.next_event(now),
            Source::Iwdg => self.iwdg.next_event(),
            Source::Wwdg => self.wwdg.next_event(self.clocks.apb1),
            Source::Timer(index) => self.timers[index].next_event(self.timer_clock(index)),
            Source::Spi(index) => self.spis[index].next_event(),
            Source::Usart(index) => self.usarts[index].next_event(self.usart_clock(index)),
            Source::Rtc => match self.rcc.rtc_clock(now) {
                None => self.rcc.rtc_clock_begins(now),
                clock => self.rtc.next_event(clock),
            },
            Source::Adc(index) => self.adcs[index].next_event(),
            Source::I2c(index) => self.i2cs[index].next_event(),
            Source::Can => self.can.next_event(),
        }
    }

    /// Does what a source wants done at `now`.
    pub(super) fn service_source(&mut self, source: Source, now: Time) {
        match source {
            Source::Dma | Source::Exti => {}
            Source::Usb => {
                self.usb.service(now);
                self.stale |= 1 << Source::Exti.index();
            }
            Source::Flash => self.flash.settle(now),
            // A switch of the clock changes everything.
            Source::Rcc => return self.refresh_all(now),
            Source::Iwdg => {
                if self.iwdg.bites(now) {
                    self.iwdg = Iwdg::default();
                    self.reset_cause = Some(ResetCause::IndependentWatchdog);
                }
            }
            Source::Wwdg => {
                if self.wwdg.service(now, self.clocks.apb1) {
                    self.wwdg = Wwdg::default();
                    self.reset_cause = Some(ResetCause::WindowWatchdog);
                }
            }
            Source::Timer(index) => {
                let clock = self.timer_clock(index);
                self.timers[index].follow(now, clock);
            }
            Source::Spi(index) => self.service_spi(index, now),
            Source::Usart(index) => self.service_usart(index, now),
            Source::Rtc => {
                self.rtc.follow(now, self.rcc.rtc_clock(now));
                self.stale |= 1 << Source::Exti.index();
            }
            Source::Adc(index) => {
                let (clock, pins, levels) = (self.clocks.adc, &self.pins, &self.analog);
                self.adcs[index].service(now, clock, |input| analog(pins, levels, input));
            }
            Source::I2c(index) => self.i2cs[index].service(now),
            Source::Can => self.can.service(now, self.clocks.apb1),
        }
        self.stale |= 1 << source.index();
        self.serve_dma(now);
        self.update_stale(now);
    }

    /// Looks again at the sources that changed.
    pub(super) fn update_stale(&mut self, now: Time) {
        let mut stale = std::mem::take(&mut self.stale);
        while stale != 0 {
            let index = stale.trailing_zeros() as usize;
            stale &= stale - 1;
            if let Some(&source) = Source::ALL.get(index) {
                self.update(source, now);
            }
        }
    }
}

/// What the temperature sensor gives at 25 degrees Celsius (1.43 V) and the reference (1.20 V), of
/// 3.3 V in 4095 steps: DS5319 rev 18, tables 50 and 13.
const TEMPERATURE: u32 = 1775;
const REFERENCE: u32 = 1489;

/// The level of an input of the ADCs: what the world outside sets, or else what the pin shows.
fn analog(pins: &super::Pins, levels: &[Option<u32>; adc::INPUTS], input: usize) -> u32 {
    // DS5319 rev 18, table 5.
    let pin = match input {
        0..=7 => Pin::new(Port::A, input as u8),
        8 | 9 => Pin::new(Port::B, input as u8 - 8),
        10..=15 => Pin::new(Port::C, input as u8 - 10),
        16 => return levels[input].unwrap_or(TEMPERATURE),
        _ => return levels[input.min(adc::INPUTS - 1)].unwrap_or(REFERENCE),
    };
    let high = pins.inputs(pin.port) >> pin.number & 1 != 0;
    levels[input].unwrap_or(if high { 0xfff } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_in_its_place() {
        for (index, source) in Source::ALL.iter().enumerate() {
            assert_eq!(source.index(), index);
        }
    }
}
