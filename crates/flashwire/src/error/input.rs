//! The hints about files that are read.

use super::hint::{Exit, Hint};

pub(super) static FILE_MISSING: Hint = Hint {
    code: "file-missing",
    exit: Exit::File,
    likely: "a typing mistake, or another folder",
    remedy: "check the name",
    text: "\
There is no file of this name here. It was looked for before the port was opened, so that nothing
has happened to the chip.\n",
};

pub(super) static NOT_A_FILE: Hint = Hint {
    code: "not-a-file",
    exit: Exit::File,
    likely: "the name is that of something else",
    remedy: "the file itself; to read a pipe, use `-` for standard input",
    text: "\
A firmware file must be a regular file: a folder has no content, a pipe may never end, a device may
hang. For the output of another program use `-`: program | flashwire write - -p {port}\n",
};

pub(super) static FILE_TOO_LARGE: Hint = Hint {
    code: "file-too-large",
    exit: Exit::File,
    likely: "the name is that of something else",
    remedy: "check the name",
    text: "\
The file is larger than any flash that flashwire knows, even written as text. It was refused
unread.\n",
};

pub(super) static FILE_UNREADABLE: Hint = Hint {
    code: "file-unreadable",
    exit: Exit::File,
    likely: "you may not read it, or the disk has a problem",
    remedy: "check it with another program",
    text: "\
The system does not let us read the file, for the reason that the error quotes: usually its
permissions, sometimes a disk or a network that is gone.\n",
};

pub(super) static FILE_EMPTY: Hint = Hint {
    code: "file-empty",
    exit: Exit::File,
    likely: "the build that made it failed",
    remedy: "build it again",
    text: "\
The file has no content, so that there is nothing to write. It is more likely a failed build or
download than a wish.\n",
};

pub(super) static NOT_FIRMWARE: Hint = Hint {
    code: "not-firmware",
    exit: Exit::File,
    likely: "the archive that holds the firmware, or a web page saved in its place",
    remedy: "unpack it, or download it again; --format bin if it is meant as it is",
    text: "\
The content is that of an archive, a picture or a web page, and not of a program. Written into the
flash it would not run. Downloads often come packed, and a failed one is often an HTML page.
",
};

pub(super) static IMAGE_BAD: Hint = Hint {
    code: "image-bad",
    exit: Exit::File,
    likely: "the file is damaged, or was cut off while it was copied",
    remedy: "build or copy it again",
    text: "\
The file is of a known format but breaks its rules: a checksum that is wrong, a record that is cut
off, an end record that is missing, two different values for one address. It is never written as raw
data instead: that is how text ends up in a flash. The error says in which line, or at which
offset.\n",
};

pub(super) static FORMAT_DISAGREES: Hint = Hint {
    code: "format-disagrees",
    exit: Exit::File,
    likely: "the file has the wrong extension",
    remedy: "--format with the right one of bin, hex, srec, elf, uf2, dfuse",
    text: "\
The name of the file says one format and its content another. One of them is wrong, and guessing
which could write the wrong bytes. --format decides.\n",
};

pub(super) static BENCH_FILE_BAD: Hint = Hint {
    code: "bench-file-bad",
    exit: Exit::File,
    likely: "image= names the file of another bench, or of something else",
    remedy: "another image=FILE; one that does not exist yet is a new chip",
    text: "\
The file that keeps a bench's flash (image=FILE), or the one beside it that keeps its option bytes
(FILE.state), is not that of this bench: larger than its flash, no regular file, or damaged. Delete
both to begin with a new chip.
",
};

pub(super) static PARTS_BAD: Hint = Hint {
    code: "parts-bad",
    exit: Exit::File,
    likely: "a field is misspelt, or the columns have shifted",
    remedy: "correct that line; docs/stm32.md describes the columns",
    text: "\
--parts FILE adds parts to the built-in table, or puts others in their place. It is a table with
commas whose first line names its columns; `product_id` is the only one that it must have, and what
it leaves out is what flashwire assumes of a part that it does not know:
  product_id,name,family,flash_kib,layout,program_unit
  0x7AB,My new part,G0,128,2K*,8
A wrong line is an error and never skipped, because a wrong page size erases the wrong pages.
",
};
