//! Options of the library itself: store, outbox, files, events, limits, log.

use super::Takes::{Folder, Number, Text, Word};
use super::{Spec, option, secret};

pub(super) const OPTIONS: &[Spec] = &[
    option(
        "store.dir",
        Folder,
        "",
        "Folder of the store: records that could not be sent and downlinks being handled survive a crash, an outage \
        and the switch at the wall there, in `parklink-<park_id>.db`. Left out: nothing survives, and an upload while the link is down is an \
        error.",
    ),
    option(
        "store.max_records",
        Number(1, 1_000_000_000),
        "5000000",
        "Records kept for sending. Beyond it new ones are refused (`outbox_full`); old log records \
        (SDK 2.6) are dropped before that.",
    ),
    option("store.max_bytes", Number(1024, 1_099_511_627_776), "4294967296", "The same in bytes of data."),
    option(
        "store.max_age_days",
        Number(0, 3650),
        "365",
        "How long a record waits at most, in days of the store's own running time, which no clock change moves; 0: for ever. Then a \
        log record (SDK 2.6) is dropped and any other becomes a dead letter (`expired`).",
    ),
    option(
        "store.window_days",
        Number(1, 3650),
        "30",
        "How long a repeated downlink is recognised, in days of the store's own running time.",
    ),
    option(
        "outbox.when_offline",
        Word(&["queue", "fail"]),
        "\"queue\"",
        "What upload does with a durable record that the platform cannot be told now: \
        queue: it is stored, the code is queued. fail: the error is returned. submit stores always.",
    ),
    option(
        "outbox.lanes",
        Number(1, 64),
        "4",
        "Records under way at a time on the HTTP link; those of one order stay in order. The cloud takes one at a time.",
    ),
    option(
        "outbox.attempts",
        Number(1, 100_000),
        "10",
        "Unanswered attempts after which a record becomes a dead letter, if the platform answered others \
        meanwhile.",
    ),
    option(
        "outbox.retry_first_ms",
        Number(10, 600_000),
        "1000",
        "First pause of a record before it is sent again; doubled each time, with jitter.",
    ),
    option("outbox.retry_longest_ms", Number(10, 86_400_000), "60000", "Longest such pause."),
    option(
        "files.dir",
        Folder,
        "",
        "Folder whose files `upload_file` (SDK 2.32) may send, subfolders included. Left out: it sends none.",
    ),
    option(
        "files.hosts",
        Text(2048),
        "\"s.bolink.club,beta.bolink.club\"",
        "Hosts that it may send them to, separated by commas: the address is part \
        of the platform's request and not to be trusted blindly.",
    ),
    option("files.max_bytes", Number(1, 1_073_741_824), "16777216", "The largest file it sends."),
    secret(
        "http.proxy",
        2048,
        "Proxy of the HTTP links, `http://user:password@host:port`. Left out: the environment's (`https_proxy`, \
        `http_proxy`, `all_proxy`, `no_proxy`). Empty text: none. A proxy that fails is an error; nothing goes round it.",
    ),
    option("http.ca_file", Text(4096), "", "PEM file of certificates that are trusted besides the system's."),
    option(
        "events.queue",
        Number(1, 1_000_000),
        "1000",
        "Downlinks that wait for the callback or the poll; beyond it the platform gets a refusal. Those left unanswered before a \
        restart fill half of it at most; the others follow from the store.",
    ),
    option(
        "events.keep_s",
        Number(1, 86_400),
        "600",
        "How long an unanswered downlink can still be answered, and how old a command may be that is handed out again after a restart.",
    ),
    option("limits.text_bytes", Number(1024, 1_073_741_824), "4194304", "Longest JSON text taken."),
    option(
        "log.level",
        Word(&["error", "warn", "info", "debug", "trace"]),
        "\"info\"",
        "What the log holds. trace: every message on the wire, \
        without keys, tokens and codes that pay or open.",
    ),
    option(
        "log.dir",
        Folder,
        "",
        "Folder of the log files; by default `logs` beside the program. Used when `log_show` is 1. Lots that share a folder \
        write into the same files.",
    ),
    option("log.max_bytes", Number(4096, 1_073_741_824), "10485760", "Size at which a log file is put aside."),
    option("log.files", Number(1, 1000), "10", "Log files kept."),
];
