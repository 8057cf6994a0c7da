/*
 * parklink 0.1.0: connects the charging software of a parking lot with the platforms it talks to.
 *
 * Generated from src/abi by `cargo run -p xtask -- header`. Do not edit.
 *
 * In short: parklink_open takes one JSON configuration and gives a handle; parklink_upload sends a record and gives the
 * platform's answer; a registered function takes what the platform asks of the lot, and parklink_reply answers it.
 * The fields of every record stand in docs/interfaces/README.md, the options in docs/options.md, and what is promised of
 * stored records in docs/durability.md.
 *
 * THE CONTRACT
 *
 * Results. Every call on a handle returns 0 (PARKLINK_OK) or a negative code; parklink_last_error has the text, which
 * says what to change: the option or field, what was expected, what was found. Codes keep their numbers for ever; treat
 * one that you do not know as a failure. The lists of errors below leave out PARKLINK_E_, and INTERNAL, which any call
 * can return.
 *
 * Charges. What asks for money now (an exit with pay_type wallet or sweepcode, etc_pay, a payment by the open API or by
 * ETCP) may have been made although the call failed: after TIMEOUT, BROKEN, PROTOCOL, CLOSED, INTERNAL and an HTTP status of
 * 408, 425 or 500 and more, but 503; the text says so. Wait for the downlink, or ask the platform, before you charge again or the
 * driver pays another way.
 *
 * Handles. A parklink_t * is a token that the library looks up. A NULL, closed, stale or invented one is an error
 * (PARKLINK_E_ARGUMENT, PARKLINK_E_CLOSED), never a crash.
 *
 * Ownership. What you give (const char *, callback structs) is borrowed for the call. What you get through a char **
 * is yours: free it with parklink_string_free, with nothing else. Result places are set to NULL or 0 first. A reply may
 * come with a failure too (REFUSED, PENDING, QUEUED; now and then another): whatever the code, free it when it is not
 * NULL. Where a function says "may be NULL", NULL means that you do not want it.
 *
 * Threads. Every function may be called from any thread at any time, several at once on the same handle, if it does not
 * say otherwise. Calls that wait for a platform block only their caller.
 *
 * Callbacks. All callbacks of a handle run on one thread of the library, one at a time, while no lock is held. Inside a
 * callback every function may be called, except those that would wait for callbacks of the same handle: parklink_close,
 * parklink_wait_ready, parklink_poll and parklink_flush return PARKLINK_E_IN_CALLBACK there. A callback that is slow, or
 * uploads, delays the callbacks after it. Meanwhile downlinks wait (events.queue of them; more are refused), lines of the
 * log (10000; then the oldest are left out) and reports of deliveries (10000; then the outbox waits). All else goes on:
 * uploads, heartbeats, logins. Strings in callbacks are borrowed for the call. destroy is called exactly once for each
 * registration that had it, also when registering fails; then on the calling thread before the return, otherwise on the
 * callback thread or on the one that closes. Only a struct_size too small to hold user_data and destroy leaves it
 * uncalled. A callback must not throw a C++ exception, longjmp out, or end its thread.
 *
 * Closing. parklink_close wakes every call that waits on the handle, ends every thread, runs every destroy; after it
 * returned PARKLINK_OK no callback of the handle runs.
 *
 * Texts. NUL-terminated UTF-8, or GBK both ways on handles opened with "encoding": "gbk". A configuration is UTF-8, or
 * GBK when it is in GBK and says "encoding": "gbk". Text in another encoding is PARKLINK_E_ENCODING with the place of
 * the first wrong byte. What GBK cannot carry (the euro sign is Windows' own) comes out as \uXXXX, which in JSON is the
 * same character. Texts of more than limits.text_bytes, counted in UTF-8, are PARKLINK_E_TOO_LARGE (configurations: of
 * more than 4 MiB); no more than that many bytes and one are read looking for the end. Texts that come out have no such
 * limit. Your locale does not matter.
 *
 * Time. Timeouts are in milliseconds and bound the waiting for platforms and callbacks. Two things can add to them: a
 * connection to the cloud that takes no bytes (given up after 5 seconds), and with a store a slow disk. Inside JSON each
 * field has the unit of its document.
 *
 * Panics. A defect inside the library is caught at the border and becomes PARKLINK_E_INTERNAL.
 *
 * fork. After the first parklink_open, a forked child gets PARKLINK_E_FORKED from every function that returns a code,
 * parklink_open and parklink_close included; callbacks do not run there. exec is not concerned. Programs that fork call
 * parklink_open afterwards.
 *
 * Unloading. The library stays in memory (on Windows from the first parklink_open on): dlclose or FreeLibrary is allowed,
 * also with open handles, and frees nothing.
 *
 * Growing. New functions, codes, options and JSON members may come with any version. Structs begin with their size and
 * grow at the end. parklink_abi_version changes when old programs could not go on.
 *
 * C99 or later, C++11 or later; no macro needs to be defined.
 */
#ifndef PARKLINK_H
#define PARKLINK_H

#include <stddef.h>
#include <stdint.h>

/* Calling convention: empty except on 32-bit Windows, where compilers can be told to use another one by default. */
#if defined(_WIN32) && !defined(_WIN64)
#define PARKLINK_CALL __cdecl
#else
#define PARKLINK_CALL
#endif

/* The version of this header; PARKLINK_VERSION is MAJOR * 1000000 + MINOR * 1000 + PATCH. */
#define PARKLINK_VERSION_MAJOR 0
#define PARKLINK_VERSION_MINOR 1
#define PARKLINK_VERSION_PATCH 0
#define PARKLINK_VERSION (PARKLINK_VERSION_MAJOR * 1000000 + PARKLINK_VERSION_MINOR * 1000 + PARKLINK_VERSION_PATCH)
#define PARKLINK_VERSION_TEXT "0.1.0"

/* The binary interface this header describes; compare with parklink_abi_version(). */
#define PARKLINK_ABI_VERSION 1

/*
 * Codes by cause: -1xx what you gave, -2xx the state of the handle, -3xx the network, -4xx the platform, -5xx this
 * machine, -6xx not an error but not finished either, -9xx the library itself. "Again" marks those for which
 * parklink_error_is_retryable is 1.
 */
#define PARKLINK_OK 0
/** An argument is NULL or out of its range. */
#define PARKLINK_E_ARGUMENT (-101)
/** A text is not in the encoding of the handle (UTF-8, or GBK by option). */
#define PARKLINK_E_ENCODING (-102)
/** A text is not JSON, or not a JSON object. */
#define PARKLINK_E_JSON (-103)
/** A text is larger than the library or the cloud's line takes, a file larger than files.max_bytes. */
#define PARKLINK_E_TOO_LARGE (-104)
/** The configuration is wrong; the message names the option. */
#define PARKLINK_E_CONFIG (-105)
/** No such interface, or the JSON names none. */
#define PARKLINK_E_UNKNOWN_INTERFACE (-106)
/** A field breaks a rule of the platform's document; the message names field, rule, what was found, section. */
#define PARKLINK_E_INVALID (-107)
/** No such event: never given out, answered already, or older than events.keep_s. */
#define PARKLINK_E_UNKNOWN_EVENT (-108)
/** The handle is not open, or was closed during the call. */
#define PARKLINK_E_CLOSED (-201)
/** This call would wait for the callback that it is made from. */
#define PARKLINK_E_IN_CALLBACK (-202)
/** The process was forked: the library works only in the process that opened it. */
#define PARKLINK_E_FORKED (-203)
/** A poll beside a registered callback, or an open beside 1024 handles. Again. */
#define PARKLINK_E_BUSY (-204)
/** The platform of this interface is not configured, or store.dir where the call needs a store. */
#define PARKLINK_E_NOT_CONFIGURED (-205)
/** It cannot go this way: documented by title only, no way known, not to be stored, or an option it needs is missing. */
#define PARKLINK_E_UNSUPPORTED (-206)
/** The link to the platform is down: it does not have the record. Again. */
#define PARKLINK_E_OFFLINE (-301)
/** No answer in time: the platform may or may not have taken the record. Again. */
#define PARKLINK_E_TIMEOUT (-302)
/** The connection broke after the record was sent: the platform may or may not have taken it. Again. */
#define PARKLINK_E_BROKEN (-303)
/** The certificate or the handshake of TLS failed; nothing was sent. */
#define PARKLINK_E_TLS (-304)
/** The proxy refused or failed; nothing was sent. Again. */
#define PARKLINK_E_PROXY (-305)
/** The platform refused the record (state 0); the reply says why. */
#define PARKLINK_E_REFUSED (-401)
/** The platform refused the login; the message holds its reason. */
#define PARKLINK_E_LOGIN_REFUSED (-402)
/** The platform answered over_times, or our own limit would outlast the call: it does not have the record. Again. */
#define PARKLINK_E_RATE_LIMITED (-403)
/** The platform answered with what the protocol does not allow: it may or may not have taken the record. Again. */
#define PARKLINK_E_PROTOCOL (-404)
/** The platform answered with an HTTP error; after 408 and 5xx (but 503) it may have taken the record. Again. */
#define PARKLINK_E_HTTP (-405)
/** The platform remembers the record but has not stored it: send it again with changed data. */
#define PARKLINK_E_NOT_STORED (-406)
/** A file, folder, port or thread of this machine cannot be had. Again. */
#define PARKLINK_E_IO (-501)
/** The disk has no room for the record; nothing was acknowledged. Again. */
#define PARKLINK_E_DISK_FULL (-502)
/** The store's folder or file cannot be written. */
#define PARKLINK_E_STORE_READ_ONLY (-503)
/** Another process or handle has the store open, or another program holds its database. Again. */
#define PARKLINK_E_STORE_LOCKED (-504)
/** The store's file is another program's database. */
#define PARKLINK_E_STORE_FOREIGN (-505)
/** The store was written by a newer version of the library. */
#define PARKLINK_E_STORE_NEWER (-506)
/** The store is damaged, and a new one could not take its place (else it does, and nothing fails). */
#define PARKLINK_E_STORE_DAMAGED (-507)
/** The outbox has reached its limit (store.max_records, store.max_bytes). Again. */
#define PARKLINK_E_OUTBOX_FULL (-508)
/** Only of a stored record in a report or dead letter: it waited longer than store.max_age_days. */
#define PARKLINK_E_EXPIRED (-509)
/** The platform could not be told now, or did not answer: the record is on disk and will be sent. Do not send it again. */
#define PARKLINK_E_QUEUED (-601)
/** The platform took it and will tell the outcome later (state 2): wait for the downlink. */
#define PARKLINK_E_PENDING (-602)
/** No event came in the time given to the poll. Again. */
#define PARKLINK_E_NO_EVENT (-603)
/** A defect of the library was caught; the call did nothing more. Please report it. */
#define PARKLINK_E_INTERNAL (-901)

/* Levels of the log, as on_log gets them. */
#define PARKLINK_LOG_ERROR 1
#define PARKLINK_LOG_WARN 2
#define PARKLINK_LOG_INFO 3
#define PARKLINK_LOG_DEBUG 4
#define PARKLINK_LOG_TRACE 5

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A handle: a lot and its connections to the platforms. It is a token, not an address; never look behind it.
 */
typedef struct parklink_t parklink_t;

/**
 * A result: PARKLINK_OK or one of the PARKLINK_E_ codes.
 */
typedef int32_t parklink_code;

/**
 * Says that the library has no further use for `user_data`.
 */
typedef void (PARKLINK_CALL *parklink_destroy_fn)(void *user_data);

/**
 * Takes a downlink.
 */
typedef void (PARKLINK_CALL *parklink_downlink_fn)(void *user_data, uint64_t event_id, const char *event_json);

/**
 * What parklink_on_downlink registers. Set struct_size to sizeof(parklink_downlink_callbacks) and what you do not use
 * to NULL.
 */
typedef struct parklink_downlink_callbacks {
    /**
     * The size of this struct in bytes, as your compiler sees it: the struct may grow in later versions. A member that is
     * not wholly inside counts as NULL; user_data and destroy must be.
     */
    size_t struct_size;
    /**
     * Given to each of the functions below as it is.
     */
    void *user_data;
    /**
     * Called exactly once when the library has no further use for user_data, also when registering fails. May be NULL.
     */
    parklink_destroy_fn destroy;
    /**
     * Called for every downlink. event_id is what parklink_reply wants, 0 when the platform expects no answer.
     * event_json is borrowed: it is gone when the function returns. Its members: event_id, platform ("cloud", "bolink",
     * "union", "etcp", or "parklink": the library itself), interface (id in the catalogue, null when it is not known),
     * service_name, kind ("request": it wants an answer; "notice": it does not; "echo": what another system of the lot
     * uploaded; "result": the later reply to a record of yours), redelivered (true: the software may have had it before;
     * with a store), data (the members of the message, without its wrapper).
     *
     * The library itself says, as a notice: "store_replaced", when a damaged store was set aside and a new one took its
     * place; data has at_ms, path, old_file, rows (taken over), why. It waits for you, also for the next open, until
     * on_downlink has returned, or parklink_poll is called again after it gave it. Ignore those that you do not know.
     */
    parklink_downlink_fn on_downlink;
} parklink_downlink_callbacks;

/**
 * Takes a line of the log.
 */
typedef void (PARKLINK_CALL *parklink_log_fn)(void *user_data, int32_t level, const char *line);

/**
 * What parklink_on_log registers. Set struct_size to sizeof(parklink_log_callbacks) and what you do not use to NULL.
 */
typedef struct parklink_log_callbacks {
    /**
     * The size of this struct in bytes, as your compiler sees it: the struct may grow in later versions. A member that is
     * not wholly inside counts as NULL; user_data and destroy must be.
     */
    size_t struct_size;
    /**
     * Given to each of the functions below as it is.
     */
    void *user_data;
    /**
     * Called exactly once when the library has no further use for user_data, also when registering fails. May be NULL.
     */
    parklink_destroy_fn destroy;
    /**
     * Called for every line up to the level of option "log.level". level is one of PARKLINK_LOG_*. line begins with the
     * local time, has no line end and is borrowed: it is gone when the function returns. Keys, tokens and paying codes are
     * blotted out in it; plates are not.
     */
    parklink_log_fn on_log;
} parklink_log_callbacks;

/**
 * Takes what became of a submitted record.
 */
typedef void (PARKLINK_CALL *parklink_delivery_fn)(void *user_data, const char *report_json);

/**
 * What parklink_on_delivery registers. Set struct_size to sizeof(parklink_delivery_callbacks) and what you do not use to
 * NULL.
 */
typedef struct parklink_delivery_callbacks {
    /**
     * The size of this struct in bytes, as your compiler sees it: the struct may grow in later versions. A member that is
     * not wholly inside counts as NULL; user_data and destroy must be.
     */
    size_t struct_size;
    /**
     * Given to each of the functions below as it is.
     */
    void *user_data;
    /**
     * Called exactly once when the library has no further use for user_data, also when registering fails. May be NULL.
     */
    parklink_destroy_fn destroy;
    /**
     * Called for every stored record that is settled on one of its platforms. report_json is borrowed: it is gone when
     * the function returns. Its members: ticket, platform, interface, service_name, outcome ("delivered"; "dead": a dead
     * letter; "dropped": a log record (SDK 2.6) that made room, or was too old), code (a name as parklink_error_name
     * gives: "ok", "pending", "refused", "expired", "outbox_full", and so on), message, reply (the platform's, or null).
     */
    parklink_delivery_fn on_delivery;
} parklink_delivery_callbacks;

/**
 * Opens the connections of one lot.
 *
 * config_json: one JSON object, its members in docs/options.md; borrowed for the call. A member that is no option is
 * an error which names the nearest one.
 * out: gets the handle; NULL in it when the call fails. Close it with parklink_close.
 *
 * Starts the connections and does not wait for them: see parklink_wait_ready. They reconnect and log in again by
 * themselves until the handle is closed. With store.dir it waits for the disk: a damaged store is rebuilt inside the
 * call, and one that another program holds locked is waited for up to 10 seconds. Any thread.
 * Errors: ARGUMENT, ENCODING, TOO_LARGE, CONFIG (also: not JSON, a file of certificates, a proxy), TLS (no certificates to
 * check servers against), IO (the log folder, listen.addr, a thread; with a store its disk), DISK_FULL, STORE_READ_ONLY,
 * STORE_LOCKED (also: another handle has it), STORE_FOREIGN, STORE_NEWER, STORE_DAMAGED (and it could not be replaced),
 * BUSY (1024 handles are open), FORKED.
 */
parklink_code PARKLINK_CALL parklink_open(const char *config_json, parklink_t **out);

/**
 * Closes a handle. Every call that waits on it in another thread is woken and returns PARKLINK_E_CLOSED, but an upload
 * PARKLINK_E_QUEUED where its record could be stored; what was under way may have been taken. Every thread of the handle
 * ends, every destroy runs; after the return no callback of the handle runs.
 *
 * timeout_ms: how long to wait, first for answers to downlinks that are on their way (one that its platform does not
 * take costs all of it, unless it is on disk: then it is tried once), with what is left, at least 50 ms, for a callback
 * that is running. When that still runs then, the call returns PARKLINK_E_TIMEOUT; the handle is dead all the same, no
 * further callback starts, and destroy runs when the callback returns at last. Beside that, ending the connections takes
 * a moment, and with a store writing down what was sent: up to 3 seconds a platform on a disk that does not take it, and
 * the journal's way into the database.
 * left: gets how much is not finished, in one number: downlinks that you have not answered (one older than events.keep_s
 * may still count), answers that were not sent, and, with a store, records that wait on disk for any platform and go out
 * after the next open. Dead letters do not count. Told with TIMEOUT too; 0 when the call fails otherwise. May be NULL.
 * The parts stand in parklink_status before, and in the log.
 *
 * Any thread, but not inside a callback of this handle: there it does nothing and returns PARKLINK_E_IN_CALLBACK.
 * Errors: ARGUMENT, CLOSED (also for the second of two closes), IN_CALLBACK, TIMEOUT, FORKED.
 */
parklink_code PARKLINK_CALL parklink_close(parklink_t *handle, uint32_t timeout_ms, uint64_t *left);

/**
 * Waits until every configured platform has logged us in, or one has failed to. The open API and ETCP have no login
 * and are not looked at.
 *
 * timeout_ms: how long at most; 0 only looks.
 *
 * Not needed before other calls: it tells early what is wrong with keys and addresses. Any thread, but not inside a
 * callback of this handle.
 * Errors: OFFLINE (also: not in time), LOGIN_REFUSED (the text of both tells which platform and why), IN_CALLBACK,
 * ARGUMENT, CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_wait_ready(parklink_t *handle, uint32_t timeout_ms);

/**
 * Uploads a record and waits for the platform's answer.
 *
 * json: one JSON object with service_name and the fields of the documents (SDK 2.1 to 2.44, 4.1, 7.1 to 7.7); borrowed
 * for the call. It goes to every configured platform that takes this service, or to the one that data_target in it
 * names; Bolink's goes by the cloud where there is no link to Bolink. Under the service_name of a downlink it is the
 * answer to the oldest open one whose keys it repeats (see parklink_reply), and is sent also where none is open.
 * reply: gets the platform's reply as JSON, with any code; NULL in it when there is none. May be NULL. Free it with
 * parklink_string_free.
 *
 * An entry or exit that goes to the cloud and to Bolink has one code: Bolink's, or where that is OK or QUEUED and the
 * cloud failed, the cloud's; of a charge that Bolink took always Bolink's. The reply is Bolink's too; its member links
 * has, for each platform, code (a name as parklink_error_name gives), message and reply. Send it again only to the one
 * that does not have it: data_target "cloud" or "bolink".
 *
 * With a store, a record that may be sent late and is not certainly with its platform is stored: QUEUED, do not send it
 * again. reply then has its ticket (with two platforms: links.<platform>.reply).
 *
 * Waits at most the platform's request_timeout_ms (cloud., bolink., union., etcp.; with two platforms the longer one),
 * or for a charge what its document gives the platform when that is longer. A record that finds older ones of its order
 * in the store waits for its turn: QUEUED when that does not come. With a store it also waits for uploads of its order that
 * have not returned in other threads, and is stored when they are back: QUEUED. Any thread, also inside a callback.
 * Errors: ARGUMENT, ENCODING, JSON, TOO_LARGE, UNKNOWN_INTERFACE, INVALID, UNKNOWN_EVENT (an answer, and the downlink was
 * answered meanwhile), NOT_CONFIGURED, UNSUPPORTED, OFFLINE, TIMEOUT, BROKEN, REFUSED, LOGIN_REFUSED, RATE_LIMITED,
 * PROTOCOL, HTTP, TLS, PROXY, NOT_STORED, QUEUED, PENDING (wait for the downlink), IO (the file of upload_file), CLOSED,
 * FORKED. Where the record was to be stored and could not be: OUTBOX_FULL, DISK_FULL, STORE_READ_ONLY, STORE_LOCKED,
 * STORE_DAMAGED, IO; the text then has both reasons. After which of them the platform may have the record tells
 * parklink_error_is_retryable.
 */
parklink_code PARKLINK_CALL parklink_upload(parklink_t *handle, const char *json, char **reply);

/**
 * Calls one interface by its id, on its own platform only (Bolink's by the cloud where there is no link to Bolink). With
 * the id of a downlink it is the answer to one, as in parklink_upload.
 *
 * interface_id: its id in docs/interfaces/README.md, such as "bolink.query_order"; borrowed for the call.
 * json: its fields; borrowed for the call. service_name is filled in.
 * reply: as in parklink_upload, and so are waiting, storing, threads and errors.
 */
parklink_code PARKLINK_CALL parklink_call(parklink_t *handle, const char *interface_id, const char *json, char **reply);

/**
 * Uploads an entry (SDK 2.1); parklink_upload with service_name in_park.
 */
parklink_code PARKLINK_CALL parklink_in_park(parklink_t *handle, const char *json, char **reply);

/**
 * Uploads an exit (SDK 2.2); parklink_upload with service_name out_park. PARKLINK_E_PENDING: the platform is taking the
 * money. Then, and where a charge may have been made (see Charges), raise the barrier only when the downlink outpark
 * (SDK 3.4) says state 1. When it says another, call again: the document allows that until the order is settled. When
 * none comes, ask first (bolink.query_order, SDK 2.19).
 */
parklink_code PARKLINK_CALL parklink_out_park(parklink_t *handle, const char *json, char **reply);

/**
 * Charges by ETC (SDK 2.37, or API 3.7: option etc.by); parklink_upload with service_name etc_pay. PARKLINK_E_PENDING: the
 * outcome comes as a downlink with the same order_id (SDK 3.4 outpark, API 5.5). Where none comes, look whether it was
 * charged before you charge again: no guard against a second charge is documented.
 */
parklink_code PARKLINK_CALL parklink_etc_pay(parklink_t *handle, const char *json, char **reply);

/**
 * Asks whether a plate can pay without contact (SDK 4.1); parklink_upload with service_name pay_status. No platform is
 * asked: net_status says whether the one that takes the money can be reached and heard (Bolink, else the cloud), balance
 * (yuan, decimal text) and autopay are what it pushed last (SDK 4.2) while this handle was open; "0.00" and 0 when it
 * pushed nothing (is_exist 0).
 *
 * json: car_number and order_id; borrowed for the call.
 * reply: as in parklink_upload. Any thread, also inside a callback.
 * Errors: ARGUMENT, ENCODING, JSON, TOO_LARGE, INVALID, CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_pay_status(parklink_t *handle, const char *json, char **reply);

/**
 * Registers what takes downlinks; NULL removes it.
 *
 * callbacks: copied; the struct is borrowed for the call.
 *
 * A registration replaces the one before, whose destroy runs when its last call is over. When the call fails, destroy of
 * the given struct has run before the return. Downlinks that wait are delivered now. Without callbacks and polling the
 * platform gets a refusal in proper form, from 2 seconds after parklink_open on. Any thread, also inside a callback.
 * Errors: ARGUMENT (struct_size or on_downlink), CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_on_downlink(parklink_t *handle, const parklink_downlink_callbacks *callbacks);

/**
 * Answers a downlink, inside the callback or later.
 *
 * event_id: the downlink's.
 * json: the members of the answer (state, errmsg and what the document asks for); borrowed for the call. service_name
 * and the members that tie the answer to the downlink are filled in when you leave them out.
 *
 * Returns when the answer is on its way, without waiting for the platform, but for the disk with a yes to a downlink that
 * the store keeps. While the platform cannot be reached the answer is sent again: for 2 minutes, such a yes until it is
 * there. Any thread, also inside a callback. Each downlink once, within events.keep_s seconds; after an error other than
 * UNKNOWN_EVENT and CLOSED it can still be answered.
 * Errors: ARGUMENT, ENCODING, JSON, TOO_LARGE (also: for the cloud's line), INVALID, UNKNOWN_EVENT, NOT_CONFIGURED (a
 * downlink of before, and its platform is no longer configured), CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_reply(parklink_t *handle, uint64_t event_id, const char *json);

/**
 * Waits for the next downlink: for programs that ask instead of being called.
 *
 * timeout_ms: how long at most; 0 only looks.
 * event_json: gets what on_downlink would get, with event_id in it; NULL in it when none came. Free it with
 * parklink_string_free.
 *
 * Several threads may poll; each downlink goes to one of them. Answer with parklink_reply. After the first poll downlinks
 * wait for the next, as many as events.queue; more are refused. Any thread, but not inside a callback of this handle.
 * Errors: NO_EVENT (none came in time), ARGUMENT, BUSY (callbacks are registered), IN_CALLBACK, CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_poll(parklink_t *handle, uint32_t timeout_ms, char **event_json);

/**
 * Registers what takes the lines of the log; NULL removes it.
 *
 * callbacks: copied; the struct is borrowed for the call.
 *
 * As parklink_on_downlink; both run on the same thread. The log folder of log_show is written all the same. Lines of
 * before are not told; of those that wait for a slow callback the last 10000 are kept. Any thread, also inside a callback.
 * Errors: ARGUMENT (struct_size or on_log), CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_on_log(parklink_t *handle, const parklink_log_callbacks *callbacks);

/**
 * Tells everything a field engineer asks for: links, heartbeats, queues, counters.
 *
 * json: gets one JSON object, see docs/status.md. NULL asks only whether the handle is good. Free it with
 * parklink_string_free.
 *
 * Asks no platform. Any thread, also inside a callback.
 * Errors: ARGUMENT (handle), CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_status(parklink_t *handle, char **json);

/**
 * Stores a record; when it returns PARKLINK_OK the record is on disk, and it is sent until each of its platforms has it
 * or it is a dead letter, whatever happens to network, program or power meanwhile.
 *
 * json: as in parklink_upload; borrowed for the call. Records of one order (order_id; card_id of cards, and so on) leave
 * in the order in which they were stored, those of other orders are not held up. Charges (an exit with pay_type wallet or
 * sweepcode, etc_pay) are not stored, and questions only with "validation": "off": upload them.
 * ticket: gets the number that parklink_on_delivery tells the outcome under, one for all platforms. May be NULL.
 *
 * Needs option store.dir. Waits for the disk, not for the platform (but for an upload of the same order that has not
 * returned in another thread); concurrent calls share one sync. Any thread, also inside a callback.
 * Errors: ARGUMENT, ENCODING, JSON, TOO_LARGE (also: for the cloud's line), UNKNOWN_INTERFACE, INVALID, NOT_CONFIGURED
 * (also: no store.dir), UNSUPPORTED, OUTBOX_FULL, DISK_FULL, STORE_READ_ONLY, STORE_LOCKED (another program holds the
 * database), STORE_DAMAGED (and it could not be replaced), IO, CLOSED, FORKED. After any of them nothing is stored.
 */
parklink_code PARKLINK_CALL parklink_submit(parklink_t *handle, const char *json, uint64_t *ticket);

/**
 * Registers what hears of the outcome of stored records; NULL removes it.
 *
 * callbacks: copied; the struct is borrowed for the call.
 *
 * As parklink_on_downlink; both run on the same thread. A record for two platforms is reported twice, once for each. What
 * was settled before you registered is not told; around a crash an outcome may be told twice or never. Any thread, also
 * inside a callback.
 * Errors: ARGUMENT (struct_size or on_delivery), CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_on_delivery(parklink_t *handle, const parklink_delivery_callbacks *callbacks);

/**
 * Waits until every stored record is settled: delivered, a dead letter, or (logs only) dropped.
 *
 * timeout_ms: how long at most; 0 only looks.
 * left: gets how many are not; a record for two platforms counts twice. May be NULL.
 *
 * PARKLINK_OK with more than 0 in left: the time was over. Records of platforms that are no longer configured count too,
 * and keep it from 0. Any thread, but not inside a callback of this handle.
 * Errors: ARGUMENT (handle), NOT_CONFIGURED (no store.dir), IN_CALLBACK, CLOSED (also: while it waited), FORKED.
 */
parklink_code PARKLINK_CALL parklink_flush(parklink_t *handle, uint32_t timeout_ms, uint64_t *left);

/**
 * Lists dead letters: records that a platform refused for a reason that repetition cannot cure, or that waited longer
 * than store.max_age_days (code "expired").
 *
 * after: 0 for the first ones, then the id of the last one seen.
 * limit: how many at most. All of them are in memory at once: ask for some hundred at a time.
 * json: gets a JSON array, oldest first; each with id, ticket, platform, interface (may be null), service_name, data,
 * created_ms and died_ms (milliseconds since 1970), attempts, code (a name as parklink_error_name gives), message, reply
 * (the platform's, or null). Not NULL. Free it with parklink_string_free.
 *
 * Waits for the disk. Any thread, also inside a callback.
 * Errors: ARGUMENT, NOT_CONFIGURED (no store.dir), DISK_FULL, IO, STORE_READ_ONLY, STORE_LOCKED, STORE_DAMAGED, CLOSED,
 * FORKED.
 */
parklink_code PARKLINK_CALL parklink_dead_list(parklink_t *handle, uint64_t after, uint32_t limit, char **json);

/**
 * Puts dead letters back at the end of the line, as if they were new. To the cloud they go with another random_temp: it
 * remembers what it has refused, and would not look at the same bytes again. No limit of the outbox holds them up.
 *
 * ticket: whose; 0 for all.
 * count: gets how many. May be NULL.
 *
 * Waits for the disk; all or none are put back. Any thread, also inside a callback.
 * Errors: ARGUMENT (handle), NOT_CONFIGURED (no store.dir), DISK_FULL, IO, STORE_READ_ONLY, STORE_LOCKED, STORE_DAMAGED,
 * CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_dead_retry(parklink_t *handle, uint64_t ticket, uint64_t *count);

/**
 * Deletes dead letters for good.
 *
 * ticket: whose; 0 for all.
 * count: gets how many. May be NULL.
 *
 * Waits for the disk. Any thread, also inside a callback. Errors: as parklink_dead_retry.
 */
parklink_code PARKLINK_CALL parklink_dead_delete(parklink_t *handle, uint64_t ticket, uint64_t *count);

/**
 * Writes every dead letter into a file, one JSON object a line as parklink_dead_list has them, in UTF-8; they stay in
 * the store.
 *
 * path: the file, made or written over, in the encoding of the handle; borrowed for the call.
 * count: gets how many. May be NULL.
 *
 * Returns when the file is on disk; after a failure half of it may be there. Any thread, also inside a callback.
 * Errors: ARGUMENT, ENCODING, TOO_LARGE (path), NOT_CONFIGURED (no store.dir), IO (also: the file, its folder, its disk),
 * DISK_FULL, STORE_READ_ONLY, STORE_LOCKED, STORE_DAMAGED, CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_dead_export(parklink_t *handle, const char *path, uint64_t *count);

/**
 * Frees a string that a function of this header gave through a char ** argument. NULL is allowed and does nothing.
 * Any thread; each string once.
 */
void PARKLINK_CALL parklink_string_free(char *text);

/**
 * The text of the last failure on this thread: what was wrong, where, what was expected. Never NULL; empty before the
 * first failure. It stays valid until the next call of this library fails on the same thread; do not free it. It is in
 * the encoding of the handle of the failed call, and in UTF-8 where there was none.
 */
const char *PARKLINK_CALL parklink_last_error(void);

/**
 * The name of a code, such as "timeout" for PARKLINK_E_TIMEOUT; "ok" for PARKLINK_OK, "unknown" for a number that is
 * none. ASCII; lives as long as the process, do not free it. Any thread.
 */
const char *PARKLINK_CALL parklink_error_name(parklink_code code);

/**
 * 1 when the same call can succeed later without a change by you, else 0. Any thread. After PARKLINK_E_TIMEOUT, BROKEN,
 * PROTOCOL and HTTP (but HTTP 429 and 503) the platform may have the record already. The cloud knows a repeated entry,
 * exit or order by its bytes: send it again unchanged. Elsewhere no guard is documented, or only for entries: see "What is
 * not promised" in docs/durability.md.
 */
int32_t PARKLINK_CALL parklink_error_is_retryable(parklink_code code);

/**
 * The version of the library that runs, such as "1.2.3"; compare with PARKLINK_VERSION_TEXT of the header you compiled
 * with. Lives as long as the process, do not free it. Any thread.
 */
const char *PARKLINK_CALL parklink_version(void);

/**
 * The number of the binary interface of the library that runs. Different from PARKLINK_ABI_VERSION of your header:
 * do not call anything else. Any thread.
 */
uint32_t PARKLINK_CALL parklink_abi_version(void);

#ifdef __cplusplus
}
#endif

#endif
