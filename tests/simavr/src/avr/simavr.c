/* The part of the harness that knows the layout of simavr's structures: it differs between versions,
 * and the headers of the installed one are the only ones to tell. What the peripherals do is in Rust;
 * here are an ATmega328P, its registers handed on, one alarm, and two interrupts of the USART. */
#include <simavr/sim_avr.h>
#include <simavr/avr_eeprom.h>
#include <simavr/sim_cycle_timers.h>
#include <simavr/sim_interrupts.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Registers that somebody may be told of: those from 0x20 to 0xff. */
#define REGISTERS 0x100
#define VECTORS 2
/* What 16 bits can address, and a word more. */
#define ADDRESS_SPACE 0x10002

/* What happens, told to the board. Times are cycles since power came. */
struct fw_core;
struct fw_board_calls {
	uint8_t (*read)(struct fw_core *core, void *board, uint16_t address);
	void (*written)(struct fw_core *core, void *board, uint16_t address, uint8_t value);
	uint64_t (*alarm)(struct fw_core *core, void *board, uint64_t now);
	void (*reset)(struct fw_core *core, void *board);
	void (*said)(struct fw_core *core, void *board, const char *text);
};

struct fw_core {
	avr_t *avr;
	struct fw_board_calls calls;
	void *board;
	/* Cycles before the last reset; simavr counts from there. */
	uint64_t epoch;
	int stopped;
	/* Somebody looks at the board: nobody else may. */
	int inside;
	avr_int_vector_t vectors[VECTORS];
	/* Who was told before us. */
	struct {
		avr_io_write_t call;
		void *param;
	} before[REGISTERS];
	void (*reset_before)(struct avr_t *avr);
};

/* simavr's hooks for resets and messages carry no parameter. One thread may have one core. */
static _Thread_local struct fw_core *running;

static void no_sleep(avr_t *avr, avr_cycle_count_t cycles)
{
	(void)avr;
	(void)cycles;
}

static void said(avr_t *avr, const int level, const char *format, va_list arguments)
{
	char text[256];

	(void)avr;
	if (level > LOG_ERROR)
		return;
	vsnprintf(text, sizeof text, format, arguments);
	if (running && running->board && !running->inside)
		running->calls.said(running, running->board, text);
}

static uint8_t on_read(avr_t *avr, avr_io_addr_t address, void *param)
{
	struct fw_core *core = param;

	(void)avr;
	core->inside++;
	uint8_t value = core->calls.read(core, core->board, address);
	core->inside--;
	return value;
}

/* A register that is ours alone. */
static void on_write(avr_t *avr, avr_io_addr_t address, uint8_t value, void *param)
{
	struct fw_core *core = param;

	avr->data[address] = value;
	core->inside++;
	core->calls.written(core, core->board, address, value);
	core->inside--;
}

/* A register that stays simavr's. */
static void on_write_after(avr_t *avr, avr_io_addr_t address, uint8_t value, void *param)
{
	struct fw_core *core = param;

	if (core->before[address].call)
		core->before[address].call(avr, address, value, core->before[address].param);
	else
		avr->data[address] = value;
	core->inside++;
	core->calls.written(core, core->board, address, value);
	core->inside--;
}

static avr_cycle_count_t on_alarm(avr_t *avr, avr_cycle_count_t when, void *param)
{
	struct fw_core *core = param;

	(void)avr;
	core->inside++;
	uint64_t next = core->calls.alarm(core, core->board, core->epoch + when);
	core->inside--;
	return next > core->epoch + when ? next - core->epoch : 0;
}

/* simavr calls handlers in no time. The chip takes four cycles: DS40002061B, section 7.7.1. */
static void on_interrupt(struct avr_irq_t *irq, uint32_t begins, void *param)
{
	struct fw_core *core = param;

	(void)irq;
	if (begins)
		core->avr->cycle += 4;
}

static void on_reset(avr_t *avr)
{
	struct fw_core *core = running;

	if (core->reset_before)
		core->reset_before(avr);
	core->epoch += avr->cycle;
	avr->cycle = 0;
	avr->run_cycle_limit = avr->frequency;
	core->inside++;
	if (core->board)
		core->calls.reset(core, core->board);
	core->inside--;
}

/* A program that leaves its memory is stopped after the fact: what it touches has to be there. */
static uint8_t *widened(uint8_t *memory, size_t bytes)
{
	uint8_t *wide = realloc(memory, ADDRESS_SPACE);

	if (!wide)
		abort();
	memset(wide + bytes, 0xff, ADDRESS_SPACE - bytes);
	return wide;
}

struct fw_core *fw_new(const char *mcu, uint32_t hz, const struct fw_board_calls *calls)
{
	/* "Rx complete" and "data register empty": vector, counted from 0, and the bit of UCSR0B that
	 * enables it. DS40002061B, table 12-6 and section 20.11.3. */
	static const struct {
		uint8_t vector, reg, bit;
	} interrupts[VECTORS] = {
		{ 18, 0xc1, 7 }, { 19, 0xc1, 5 },
	};
	struct fw_core *core = calloc(1, sizeof *core);

	if (!core)
		return NULL;
	core->calls = *calls;
	core->avr = avr_make_mcu_by_name(mcu);
	if (!core->avr) {
		free(core);
		return NULL;
	}
	avr_global_logger_set(said);
	running = core;
	avr_init(core->avr);
	core->avr->data = widened(core->avr->data, core->avr->ramend + 1u);
	core->avr->flash = widened(core->avr->flash, core->avr->flashend + 1 + sizeof(uint16_t));
	core->avr->frequency = hz;
	core->avr->log = LOG_ERROR;
	core->avr->sleep = no_sleep;
	core->avr->run_cycle_limit = hz;
	core->reset_before = core->avr->reset;
	core->avr->reset = on_reset;
	for (int i = 0; i < VECTORS; i++) {
		avr_int_vector_t *vector = &core->vectors[i];

		vector->vector = interrupts[i].vector;
		vector->enable = (avr_regbit_t)AVR_IO_REGBIT(interrupts[i].reg, interrupts[i].bit);
		avr_register_vector(core->avr, vector);
	}
	for (int i = 0; i < core->avr->interrupts.vector_count; i++)
		avr_irq_register_notify(core->avr->interrupts.vector[i]->irq + AVR_INT_IRQ_RUNNING,
				on_interrupt, core);
	return core;
}

void fw_free(struct fw_core *core)
{
	running = core;
	core->board = NULL;
	avr_terminate(core->avr);
	free(core->avr);
	running = NULL;
	free(core);
}

/* Tells the board of a register: instead of simavr, or after it. */
void fw_watch(struct fw_core *core, uint16_t address, int is_ours)
{
	size_t io = AVR_DATA_TO_IO(address);

	core->before[address].call = core->avr->io[io].w.c;
	core->before[address].param = core->avr->io[io].w.param;
	core->avr->io[io].w.c = is_ours ? on_write : on_write_after;
	core->avr->io[io].w.param = core;
	if (is_ours) {
		core->avr->io[io].r.c = on_read;
		core->avr->io[io].r.param = core;
	}
}

void fw_load(struct fw_core *core, const uint8_t *bytes, uint32_t count, uint32_t address)
{
	memcpy(core->avr->flash + address, bytes, count);
}

/* Where the chip begins after a reset: the fuse BOOTRST. */
void fw_begin_at(struct fw_core *core, uint32_t address)
{
	core->avr->reset_pc = address;
	core->avr->pc = address;
}

const uint8_t *fw_flash(const struct fw_core *core)
{
	return core->avr->flash;
}

uint32_t fw_flash_bytes(const struct fw_core *core)
{
	return core->avr->flashend + 1;
}

/* Registers and SRAM, from address 0 on. */
uint8_t *fw_data(struct fw_core *core)
{
	return core->avr->data;
}

uint32_t fw_data_bytes(const struct fw_core *core)
{
	return core->avr->ramend + 1u;
}

uint64_t fw_now(const struct fw_core *core)
{
	return core->epoch + core->avr->cycle;
}

uint32_t fw_pc(const struct fw_core *core)
{
	return core->avr->pc;
}

/* A pulse on the RESET pin. */
void fw_reset(struct fw_core *core, void *board)
{
	core->board = board;
	running = core;
	avr_reset(core->avr);
	avr_regbit_set(core->avr, core->avr->reset_flags.extrf);
	core->board = NULL;
}

/* Lets time pass while the chip is held in reset or somebody else has it. */
void fw_skip(struct fw_core *core, uint64_t cycles)
{
	core->avr->cycle += cycles;
}

/* Calls the alarm at that time, or at once, and at no other. */
void fw_set_alarm(struct fw_core *core, uint64_t when)
{
	uint64_t now = core->epoch + core->avr->cycle;

	avr_cycle_timer_register(core->avr, when > now ? when - now : 0, on_alarm, core);
}

/* The interrupt is wanted, or not any more. It is called if its bit enables it. */
void fw_set_interrupt(struct fw_core *core, unsigned number, int wanted)
{
	avr_int_vector_t *vector = &core->vectors[number];

	if (wanted)
		avr_raise_interrupt(core->avr, vector);
	else if (vector->pending)
		avr_clear_interrupt(core->avr, vector);
}

/* Ends fw_run after the instruction under way. */
void fw_stop(struct fw_core *core)
{
	core->stopped = 1;
}

/* Executes up to a time, or until somebody stops it. Returns 0 if the chip can go on. */
int fw_run(struct fw_core *core, void *board, uint64_t until)
{
	int state = cpu_Running;

	core->board = board;
	core->stopped = 0;
	running = core;
	while (!core->stopped && core->epoch + core->avr->cycle < until &&
			state != cpu_Done && state != cpu_Crashed)
		state = avr_run(core->avr);
	core->board = NULL;
	return state == cpu_Done || state == cpu_Crashed;
}
