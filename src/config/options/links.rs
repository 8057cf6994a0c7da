//! Options of the links to the platforms, and of the listener.

use super::Takes::{Number, Text, Word};
use super::{Spec, option, secret};

pub(super) const OPTIONS: &[Spec] = &[
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
    secret("etcp.merchant_key", 64, "The merchant's key: signs calls to ETCP and its pushes."),
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
];
