//! Who asks for DMA transfers: RM0008 rev 21, table 78.

use crate::cpu::BusError;
use crate::cpu::instruction::Width;
use crate::time::Time;

use super::sources::Source;
use super::{Bus, Chip};

/// How many DMA transfers may follow each other in one moment before something is wrong.
const MOST_TRANSFERS: usize = 0x2_0000;

impl Chip {
    /// What asks for a transfer: bit 0 is channel 1.
    fn dma_requests(&self) -> u32 {
        let spi = |index: usize| {
            let spi = &self.spis[index];
            (spi.requests_receive_dma(), spi.requests_transmit_dma())
        };
        let usart = |index: usize| {
            let usart = &self.usarts[index];
            (usart.requests_receive_dma(), usart.requests_transmit_dma())
        };
        let ((spi1_rx, spi1_tx), (spi2_rx, spi2_tx)) = (spi(0), spi(1));
        let (usart1_rx, usart1_tx) = usart(0);
        let (usart2_rx, usart2_tx) = usart(1);
        let (usart3_rx, usart3_tx) = usart(2);
        let timers = TIMER_REQUESTS
            .iter()
            .filter(|request| self.timers[request.timer].dma_requests() & request.flag != 0)
            .fold(0, |word, request| word | 1 << (request.channel - 1));
        let lines = [
            (0, self.adcs[0].requests_dma()),
            (1, spi1_rx || usart3_tx),
            (2, spi1_tx || usart3_rx),
            (3, spi2_rx || usart1_tx),
            (4, spi2_tx || usart1_rx),
            (5, usart2_rx),
            (6, usart2_tx),
        ];
        lines
            .iter()
            .fold(timers, |word, &(bit, level)| word | u32::from(level) << bit)
    }

    /// Carries out all transfers that are asked for. Afterwards the sources that they touched are
    /// [`stale`](Chip::stale).
    pub(super) fn serve_dma(&mut self, now: Time) {
        for _ in 0..MOST_TRANSFERS {
            if !self.dma.is_armed() {
                break;
            }
            let requests = self.dma_requests();
            let Some(channel) = self.dma.next(requests) else {
                break;
            };
            self.stale |= 1 << Source::Dma.index();
            for request in &TIMER_REQUESTS {
                if usize::from(request.channel) == channel + 1 {
                    self.timers[request.timer].serve_dma(request.flag);
                    self.stale |= 1 << Source::Timer(request.timer).index();
                }
            }
            let beat = self.dma.beat(channel);
            let moved = self
                .dma_read(beat.source, beat.source_width, now)
                .and_then(|value| self.dma_write(beat.target, beat.target_width, value, now));
            match moved {
                Ok(()) => {}
                Err(BusError::NoAnswer) => {
                    let text = format!(
                        "DMA channel {} from {:#010x} to {:#010x} found nothing",
                        channel + 1,
                        beat.source,
                        beat.target
                    );
                    self.complaints.add(now, self.pc, &text);
                    self.dma.fail(channel);
                }
                Err(BusError::Halt(halt)) => {
                    self.pending_halt = Some(*halt);
                    self.dma.fail(channel);
                    break;
                }
            }
        }
    }

    fn mark_stale(&mut self, block: super::Block) {
        if let Some(source) = block.source() {
            self.stale |= 1 << source.index();
        }
    }

    fn dma_read(&mut self, address: u32, width: Width, now: Time) -> Result<u32, BusError> {
        if let Some(value) = self.memory(address, width) {
            return Ok(value);
        }
        let (block, offset) = super::Block::at(address).ok_or(BusError::NoAnswer)?;
        if !self.rcc.is_enabled(block.gate()) {
            return Ok(0);
        }
        self.mark_stale(block);
        let word = self
            .read_block(block, offset & !3, now)
            .ok_or(BusError::NoAnswer)?;
        Ok(word >> (8 * (address & 3)) & width.mask())
    }

    fn dma_write(
        &mut self,
        address: u32,
        width: Width,
        value: u32,
        now: Time,
    ) -> Result<(), BusError> {
        let value = value & width.mask();
        if self.store(address, width, value) {
            return Ok(());
        }
        let (block, offset) = super::Block::at(address).ok_or(BusError::NoAnswer)?;
        self.mark_stale(block);
        let word = self.widen(block, offset, width, value, now);
        match self.write_block(block, offset & !3, word, now) {
            Ok(()) => Ok(()),
            Err(_) => Err(BusError::NoAnswer),
        }
    }
}

/// A DMA request of a timer.
struct TimerRequest {
    /// TIM1 to TIM4, counted from 0.
    timer: usize,
    /// Update, or a channel's flag.
    flag: u32,
    /// DMA channel, counted from 1.
    channel: u8,
}

const fn request(timer: usize, flag: u32, channel: u8) -> TimerRequest {
    TimerRequest {
        timer,
        flag,
        channel,
    }
}

/// Table 78.
const TIMER_REQUESTS: [TimerRequest; 16] = [
    request(0, 1 << 1, 2),
    request(0, 1 << 2, 3),
    request(0, 1 << 4, 4),
    request(0, 1 << 0, 5),
    request(0, 1 << 3, 6),
    request(1, 1 << 3, 1),
    request(1, 1 << 0, 2),
    request(1, 1 << 1, 5),
    request(1, 1 << 2, 7),
    request(2, 1 << 3, 2),
    request(2, 1 << 0, 3),
    request(2, 1 << 1, 6),
    request(3, 1 << 1, 1),
    request(3, 1 << 2, 4),
    request(3, 1 << 3, 5),
    request(3, 1 << 0, 7),
];
