//! The table of options: the one source of parsing, errors and the reference page.

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Takes {
    /// Text of at most so many characters; a number is taken as its text.
    Text(usize),
    /// A whole number in this range; its decimal text too.
    Number(i64, i64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// true/false, 1/0, also as text.
    Flag,
    /// An object whose members the platform reads, not we.
    Object,
}

/// An option.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// `park_id`, `cloud.heartbeat_s`.
    pub key: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// Its default, as JSON; empty when it has none.
    pub default: &'static str,
    /// It must never be shown.
    pub is_secret: bool,
    /// For the reference page.
    pub doc: &'static str,
}

const fn option(key: &'static str, takes: Takes, default: &'static str, doc: &'static str) -> Spec {
    Spec { key, takes, default, is_secret: false, doc }
}

const fn secret(key: &'static str, doc: &'static str) -> Spec {
    Spec { key, takes: Takes::Text(64), default: "", is_secret: true, doc }
}

use Takes::{Flag, Number, Object, Text, Word};

/// Every option there is. Without a dot: the members of the original SDK's init (SDK 1.1, 1.2), as documented.
pub const OPTIONS: &[Spec] = &[
    option(
        "union_id",
        Text(15),
        "",
        "Vendor number, issued by Bolink (SDK 1.1). Needed for the Bolink and union links.",
    ),
    secret(
        "ukey",
        "Vendor key (SDK 1.1): signs what goes to Bolink and what Bolink pushes, and what goes to the cloud when there is no \
        ckey (SDK 1.2).",
    ),
    option(
        "park_id",
        Text(24),
        "",
        "Lot number (SDK 1.1). Needed for the cloud and Bolink links; for the union link it is the lot of calls that name none.",
    ),
    secret(
        "ckey",
        "Lot key (SDK 1.1): signs what goes to the parking cloud. Leave it out for SDK 4.x lots, never null.",
    ),
    option("cloud_addr", Text(253), "", "Host of the parking cloud (SDK 1.1). Without it there is no cloud link."),
    option("cport", Number(1, 65535), "6789", "TCP port of the parking cloud (SDK 1.1): test 6791, production 6789."),
    option(
        "bolink_addr",
        Text(253),
        "",
        "Host of Bolink (SDK 1.1), or a base URL such as `https://host/bpd`. Without it there is no Bolink \
        link. The two documented TCP hosts (`beta.bolink.club`, `s.bolink.club` with port 6789 or 16789) are taken as their HTTP \
        twins (`ptest.bolink.club`, `p.bolink.club`, port 80), for this library speaks Bolink's HTTP mode.",
    ),
    option("bport", Number(1, 65535), "80", "Port of Bolink's HTTP mode (SDK 1.1); a port inside a base URL wins."),
    option(
        "local_id",
        Text(196),
        "",
        "Name of this charging system inside the lot (SDK 1.1): unique, not ending in `_`. `syncdata` \
        inside it asks for the entries and exits of the lot's other systems, `channels_A1_A2` at its end names the lanes it serves. Without \
        it the cloud sends no scheduled syncs.",
    ),
    option(
        "log_show",
        Flag,
        "0",
        "1: write a log folder (SDK 1.1), by default `logs` beside the program; see `log.dir`.",
    ),
    option(
        "set_params",
        Object,
        "{}",
        "Options for the platform (SDK 1.1), sent with the login as they are: prepay_send, month_send, \
        receive_cloud, prepay_query, login_cloud, usb_key, autoconnect. `fast` is read by the seven-function face (upload_util.h).",
    ),
    option(
        "encoding",
        Word(&["utf-8", "gbk"]),
        "\"utf-8\"",
        "Encoding of every text that crosses the C interface of this handle, both ways.",
    ),
    option(
        "validation",
        Word(&["strict", "warn", "off"]),
        "\"strict\"",
        "strict: a record that breaks the document's rules is refused. warn: it is \
        sent and a line logged. off: it is sent.",
    ),
    option("cloud.request_timeout_ms", Number(100, 600_000), "10000", "How long a call waits for the cloud's answer."),
    option(
        "cloud.connect_timeout_ms",
        Number(100, 600_000),
        "10000",
        "How long connecting may take, name look-up included.",
    ),
    option("cloud.heartbeat_s", Number(1, 3600), "30", "Pause between heartbeats."),
    option(
        "cloud.heartbeat_timeout_ms",
        Number(100, 600_000),
        "10000",
        "An unanswered heartbeat older than this means: log in again, and \
        when that is not answered either, connect again.",
    ),
    option(
        "cloud.line_limit",
        Number(64, 16_777_216),
        "1024",
        "Longest line the cloud's server takes, in bytes before the line end; longer \
        ones it throws away without a word, so they are refused here.",
    ),
    option(
        "cloud.orders_per_second",
        Number(0, 100_000),
        "9",
        "Orders (in_park, out_park, upload_order) in any second; the documents ask for fewer \
        than 10. 0: no limit.",
    ),
    option(
        "cloud.requests_per_window",
        Number(0, 1_000_000),
        "100",
        "Requests in any window of `cloud.window_ms` on one login; the server refuses \
        the 101st. 0: no limit.",
    ),
    option("cloud.window_ms", Number(1, 600_000), "11000", "That window."),
    option(
        "cloud.retry_first_ms",
        Number(10, 600_000),
        "1000",
        "First pause before connecting again; doubled each time, with jitter.",
    ),
    option("cloud.retry_longest_ms", Number(10, 86_400_000), "60000", "Longest such pause."),
    option(
        "cloud.login_pause_ms",
        Number(0, 600_000),
        "7000",
        "Least pause between two logins: the server asks for 0.15 a second.",
    ),
    option(
        "cloud.picture_url",
        Text(2048),
        "",
        "Where pictures go (SDK 2.12): the address of the cloud's `carpicsup.do?action=receivepic`. \
        Without it `upload_carpic` answers unsupported.",
    ),
    option("bolink.request_timeout_ms", Number(100, 600_000), "10000", "How long a call waits for Bolink's answer."),
    option(
        "bolink.connect_timeout_ms",
        Number(100, 600_000),
        "10000",
        "How long connecting may take, name look-up and TLS included.",
    ),
    option(
        "bolink.poll_timeout_ms",
        Number(1000, 600_000),
        "45000",
        "How long one long poll may stay open; the platform holds it up to 30 s.",
    ),
    option(
        "bolink.retry_first_ms",
        Number(10, 600_000),
        "1000",
        "First pause before trying again; doubled each time, with jitter.",
    ),
    option("bolink.retry_longest_ms", Number(10, 86_400_000), "60000", "Longest such pause."),
    option(
        "union.base",
        Text(2048),
        "",
        "Bolink's open HTTP API (API 1.3): `test`, `production`, or a base URL that all its paths are put behind. Without \
        it there is no union link. Needs union_id and ukey.",
    ),
    option(
        "union.community_base",
        Text(2048),
        "",
        "Base URL of API 8.7 (smart community) where it is not that of the test system: no production address is documented.",
    ),
    option(
        "union.request_timeout_ms",
        Number(100, 600_000),
        "10000",
        "How long a call waits for the open API's answer.",
    ),
    option(
        "union.connect_timeout_ms",
        Number(100, 600_000),
        "10000",
        "How long connecting may take, name look-up and TLS included.",
    ),
    option(
        "etc.by",
        Word(&["sdk", "union"]),
        "",
        "How etc_pay goes: `sdk` (SDK 2.37, by the cloud link) or `union` (API 3.7). Left out: by the cloud link where there \
        is one, else by the open API.",
    ),
    option(
        "etc.pay_type",
        Word(&["my", "cj", "jyyh", "ystx"]),
        "",
        "The lot's ETC provider, for charges that name none (API 3.7).",
    ),
    option(
        "etcp.base",
        Text(2048),
        "",
        "ETCP's open platform (ETCP 7): `test`, `production`, or a base URL. Without it there is no ETCP link. Needs \
        etcp.merchant_no and etcp.merchant_key.",
    ),
    option("etcp.merchant_no", Text(64), "", "The merchant's number, issued by ETCP."),
    secret("etcp.merchant_key", "The merchant's key: signs calls to ETCP and its pushes."),
    option("etcp.version", Text(16), "\"1.0.0\"", "What stands for {version} in ETCP's paths (ETCP 6)."),
    option("etcp.app_id", Text(64), "", "The channel number (appId), for calls that need one and give none."),
    option(
        "etcp.phone",
        Text(20),
        "",
        "The user that calls without token and phone are made for. The merchant vouches for this number: it is logged in \
        by joint login (ETCP 8.3), which needs etcp.app_id.",
    ),
    option(
        "etcp.token_life_s",
        Number(0, 31_536_000),
        "86400",
        "A joint login's token that is older is renewed before it is used. The documents say one day and, elsewhere, \
        thirty days without use. 0: it is used until ETCP refuses it.",
    ),
    option(
        "etcp.code_interval_s",
        Number(0, 3600),
        "60",
        "Least pause between two codes to one phone (ETCP 8.1); an earlier call is refused here. 0: no limit.",
    ),
    option("etcp.request_timeout_ms", Number(100, 600_000), "10000", "How long a call waits for ETCP's answer."),
    option(
        "etcp.connect_timeout_ms",
        Number(100, 600_000),
        "10000",
        "How long connecting may take, name look-up and TLS included.",
    ),
    option(
        "listen.addr",
        Text(300),
        "",
        "`host:port` to receive pushes of the open API and of ETCP on; port 0 takes a free one (`listener.addr` of the \
        status tells which). Without it nothing listens.",
    ),
    option(
        "listen.tls_cert",
        Text(4096),
        "",
        "PEM file of the listener's certificate and its chain; without it: plain HTTP.",
    ),
    option("listen.tls_key", Text(4096), "", "PEM file of the certificate's key."),
    option("listen.union_path", Text(512), "\"/union\"", "Where pushes of the open API are received (API 5, 9, 11)."),
    option("listen.etcp_path", Text(512), "\"/etcp\"", "Where pushes of ETCP are received (ETCP 9)."),
    option(
        "listen.etcp_sign",
        Word(&["auto", "text", "remade", "form"]),
        "\"auto\"",
        "What ETCP's signature is taken over; the document leaves it open. text: the body without `signment`, as it came. \
        remade: its members written again without blanks. form: the parameter `data` of a form. auto: form for a form, \
        else text or remade.",
    ),
    option(
        "listen.max_connections",
        Number(1, 100_000),
        "1024",
        "Connections kept; one more ends the one idle longest.",
    ),
    option(
        "listen.header_timeout_ms",
        Number(50, 600_000),
        "5000",
        "How long the TLS handshake and the head of a request may take, and how long a connection may lie idle.",
    ),
    option("listen.body_timeout_ms", Number(50, 600_000), "5000", "How long the body of a request may take."),
    option(
        "listen.max_body_bytes",
        Number(1024, 67_108_864),
        "4194304",
        "Longest body taken; longer ones are refused unread.",
    ),
    option(
        "listen.max_age_s",
        Number(0, 604_800),
        "1800",
        "How far the signed time of a push may lie from this machine's clock, where a push has one (ETCP 9 pushTime, API \
        5.7 timetemp). 0: not looked at.",
    ),
    option(
        "store.dir",
        Text(4096),
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
        Text(4096),
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
    option(
        "http.proxy",
        Text(2048),
        "",
        "Proxy of the HTTP links, `http://user:password@host:port`. Left out: the environment's (`https_proxy`, \
        `http_proxy`, `all_proxy`, `no_proxy`). Empty text: none. A proxy that fails is an error; nothing goes round it.",
    ),
    option("http.ca_file", Text(4096), "", "PEM file of certificates that are trusted besides the system's."),
    option(
        "events.queue",
        Number(1, 1_000_000),
        "1000",
        "Downlinks that wait for the callback or the poll; beyond it the platform gets a refusal.",
    ),
    option("events.keep_s", Number(1, 86_400), "600", "How long an unanswered downlink can still be answered."),
    option("limits.text_bytes", Number(1024, 1_073_741_824), "4194304", "Longest JSON text taken."),
    option(
        "log.level",
        Word(&["error", "warn", "info", "debug", "trace"]),
        "\"info\"",
        "What the log holds. trace: every message on the wire, \
        without keys and tokens.",
    ),
    option(
        "log.dir",
        Text(4096),
        "",
        "Folder of the log files; by default `logs` beside the program. Used when `log_show` is 1.",
    ),
    option("log.max_bytes", Number(4096, 1_073_741_824), "10485760", "Size at which a log file is put aside."),
    option("log.files", Number(1, 1000), "10", "Log files kept."),
];
