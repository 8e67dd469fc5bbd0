//! Scripts as people have them around the original.

use flashwire_tests::board::Board;
use flashwire_tests::faces::{Row, Run};
use flashwire_tests::served::Guard;

use crate::boards::WIRED;
use crate::files::{IMAGE, hex_image};

pub(crate) const SCRIPTS: &[Row] = &[
    Row {
        name: "a flash target",
        files: &[("app.hex", hex_image)],
        runs: &[Run::script(
            r#"set -e
            PORT=${PORT:-port} BAUD=${BAUD:-230400}
            test -e "$PORT"
            stm32flash -b "$BAUD" -w app.hex -v -g 0x0 "$PORT""#,
        )],
        ..Row::ON_F103
    },
    Row {
        name: "a line of boards",
        keys: WIRED,
        files: &[IMAGE],
        runs: &[Run::script(
            r#"for serial in 1 2 3; do
                if stm32flash -b 115200 -i '-rts&dtr,-dtr,:rts&dtr,-dtr' -R -v -w image.bin port \
                    | grep -q 'Wrote and verified address 0x08001388 (100.00%) Done.'
                then echo "$serial pass" >> tested
                else echo "$serial FAIL" >> tested
                fi
            done"#,
        )],
        ..Row::ON_F103
    },
    Row {
        name: "unlock, then write",
        guard: Guard::Reading,
        files: &[IMAGE],
        runs: &[Run::script(
            "stm32flash -b 115200 -w image.bin port > /dev/null 2>&1 || {
                stm32flash -b 115200 -k port && sleep 1 &&
                stm32flash -b 115200 -v -w image.bin -g 0 port
            }",
        )],
        ..Row::ON_F103
    },
    Row {
        name: "which chip is it?",
        runs: &[Run::script(
            r"id=$(stm32flash port | sed -n 's/^Device ID *: *\(0x[0-9a-fA-F]*\).*/\1/p')
            case $id in
                0x0410) echo F103 > chip ;;
                *) exit 1 ;;
            esac",
        )],
        ..Row::ON_F103
    },
    Row {
        name: "a backup that is compared",
        before: Board::fresh_content,
        files: &[IMAGE],
        runs: &[Run::script(
            "stm32flash -b 230400 -S 0x08000000:5000 -r backup.bin port && cmp backup.bin image.bin",
        )],
        ..Row::ON_F103
    },
    Row {
        name: "data in a pipe",
        before: Board::fresh_content,
        runs: &[Run::script(
            "stm32flash -b 230400 -S 0x08000000:256 -r - port 2> /dev/null | cksum > sum",
        )],
        ..Row::ON_F103
    },
    Row {
        name: "a serial number beside the program",
        before: Board::fresh_content,
        runs: &[Run::script(
            r"printf '\001\002\003\004' |
            stm32flash -b 115200 -e 0 -S 0x0801FC00:4 -v -w - port",
        )],
        ..Row::ON_F103
    },
    Row {
        name: "a checksum that is written down",
        before: Board::fresh_content,
        runs: &[Run::script(
            r"stm32flash -b 230400 -C -S 0x08000000:5000 port 2> /dev/null |
            grep -o 'CRC(.*) = 0x[0-9a-f]*' > crc && test -s crc",
        )],
        ..Row::ON_F103
    },
    Row {
        name: "trying until it answers",
        before: Board::fresh_content,
        runs: &[Run::script(
            "for baud in 12345 57600; do
                stm32flash -b $baud -g 0x08000000 port && exit 0
            done
            exit 1",
        )],
        ..Row::ON_F103
    },
];
