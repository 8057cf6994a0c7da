//! The members of the original SDK's init (SDK 1.1, 1.2), as documented, and how texts are read.

use super::Takes::{Flag, Number, Object, Text, Word};
use super::{Spec, option, secret};

pub(super) const OPTIONS: &[Spec] = &[
    option(
        "union_id",
        Text(15),
        "",
        "Vendor number, issued by Bolink (SDK 1.1). Needed for the Bolink and union links.",
    ),
    secret(
        "ukey",
        64,
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
        64,
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
];
