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
 * one that you do not know as a failure. When the platform refuses a record the code is PARKLINK_E_REFUSED, and the
 * reply is there to be read all the same.
 *
 * Handles. A parklink_t * is a token that the library looks up. A NULL, closed, stale or invented one is an error
 * (PARKLINK_E_ARGUMENT, PARKLINK_E_CLOSED), never a crash.
 *
 * Ownership. What you give (const char *, callback structs) is borrowed for the call. What you get through a char **
 * is yours: free it with parklink_string_free, with nothing else. Result places are set to NULL or 0 first, so after a
 * failure there is nothing to free. Where a function says "may be NULL", NULL means that you do not want it.
 *
 * Threads. Every function may be called from any thread at any time, several at once on the same handle, if it does not
 * say otherwise. Calls that wait for a platform block only their caller.
 *
 * Callbacks. All callbacks of a handle run on one thread of the library, one at a time, while no lock is held. Inside a
 * callback every function may be called, except those that would wait for callbacks of the same handle: parklink_close,
 * parklink_wait_ready, parklink_poll and parklink_flush return PARKLINK_E_IN_CALLBACK there. A callback that is slow
 * delays the callbacks after it, and the outbox once 10000 reports of deliveries wait; all else goes on: uploads,
 * heartbeats, logins. Downlinks wait (at most events.queue of them). Strings in callbacks are borrowed for the call. destroy
 * is called exactly once for each registration that had it, also when registering fails; then on the calling thread
 * before the return, otherwise on the callback thread or on the one that closes. Only a struct_size too small to hold
 * user_data and destroy leaves it uncalled. A callback must not throw a C++ exception, longjmp out, or end its thread.
 *
 * Closing. parklink_close wakes every call that waits on the handle, ends every thread, runs every destroy; after it
 * returned no callback of the handle runs. Close before the program ends if you want the platforms to see a log-out.
 *
 * Texts. NUL-terminated UTF-8, or GBK both ways on handles opened with "encoding": "gbk". A configuration is UTF-8, or
 * GBK when it is in GBK and says "encoding": "gbk". Text in another encoding is PARKLINK_E_ENCODING with the place of
 * the first wrong byte. What GBK cannot carry (the euro sign is Windows' own) comes out as \uXXXX, which in JSON is the
 * same character. Texts of more than limits.text_bytes are PARKLINK_E_TOO_LARGE; no more than that many bytes and one are
 * read looking for the end. Texts that come out have no such limit. The library reads them in the C locale: yours does
 * not matter.
 *
 * Time. Timeouts are in milliseconds. Inside JSON each field has the unit of its document.
 *
 * Panics. A defect inside the library is caught at the border and becomes PARKLINK_E_INTERNAL.
 *
 * fork. After the first parklink_open, a forked child gets PARKLINK_E_FORKED from every call, closing included;
 * callbacks do not run there. exec is not concerned. Programs that fork open the library afterwards.
 *
 * Unloading. The library stays in memory once loaded: dlclose or FreeLibrary is allowed, also with open handles, and
 * frees nothing.
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
/** A text is larger than the library takes. */
#define PARKLINK_E_TOO_LARGE (-104)
/** The configuration is wrong; the message names the option. */
#define PARKLINK_E_CONFIG (-105)
/** No such interface, or the JSON names none. */
#define PARKLINK_E_UNKNOWN_INTERFACE (-106)
/** A field breaks a rule of the platform's document; the message names field, rule, what was found, section. */
#define PARKLINK_E_INVALID (-107)
/** No such event: never given out, answered already, or forgotten. */
#define PARKLINK_E_UNKNOWN_EVENT (-108)
/** The handle is not open (any more). */
#define PARKLINK_E_CLOSED (-201)
/** This call would wait for the callback that it is made from. */
#define PARKLINK_E_IN_CALLBACK (-202)
/** The process was forked: the library works only in the process that opened it. */
#define PARKLINK_E_FORKED (-203)
/** Callbacks take the downlinks, so they cannot be polled for; or 1024 handles are open. Again. */
#define PARKLINK_E_BUSY (-204)
/** The platform of this interface is not configured. */
#define PARKLINK_E_NOT_CONFIGURED (-205)
/** The interface is documented by title only, or its way to the platform is not known or not built. */
#define PARKLINK_E_UNSUPPORTED (-206)
/** The link to the platform is down. Again. */
#define PARKLINK_E_OFFLINE (-301)
/** No answer in time: the platform may or may not have taken the record. Again. */
#define PARKLINK_E_TIMEOUT (-302)
/** The connection broke after the record was sent: the platform may or may not have taken it. Again. */
#define PARKLINK_E_BROKEN (-303)
/** The certificate or the handshake of TLS failed. */
#define PARKLINK_E_TLS (-304)
/** The proxy refused or failed. Again. */
#define PARKLINK_E_PROXY (-305)
/** The platform refused the record (state 0); the reply says why. */
#define PARKLINK_E_REFUSED (-401)
/** The platform refused the login; the message holds its reason. */
#define PARKLINK_E_LOGIN_REFUSED (-402)
/** The platform answered over_times, or the wait for our own limit would outlast the call. Again. */
#define PARKLINK_E_RATE_LIMITED (-403)
/** The platform answered with what the protocol does not allow. Again. */
#define PARKLINK_E_PROTOCOL (-404)
/** The platform answered with an HTTP error. Again. */
#define PARKLINK_E_HTTP (-405)
/** The platform remembers the record but has not stored it: send it again with changed data. */
#define PARKLINK_E_NOT_STORED (-406)
/** A file or folder of this machine cannot be used. Again. */
#define PARKLINK_E_IO (-501)
/** The disk has no room for the record; nothing was acknowledged. Again. */
#define PARKLINK_E_DISK_FULL (-502)
/** The store's folder or file cannot be written. */
#define PARKLINK_E_STORE_READ_ONLY (-503)
/** Another process, or another handle of this one, has the store open. Again. */
#define PARKLINK_E_STORE_LOCKED (-504)
/** The store's file is another program's database. */
#define PARKLINK_E_STORE_FOREIGN (-505)
/** The store was written by a newer version of the library. */
#define PARKLINK_E_STORE_NEWER (-506)
/** The store is damaged; at open it is set aside instead. */
#define PARKLINK_E_STORE_DAMAGED (-507)
/** The outbox has reached its limit (store.max_records, store.max_bytes). Again. */
#define PARKLINK_E_OUTBOX_FULL (-508)
/** Of a stored record: it waited longer than store.max_age_days. */
#define PARKLINK_E_EXPIRED (-509)
/** The platform could not be told now: the record is on disk and will be sent. The reply holds the ticket. */
#define PARKLINK_E_QUEUED (-601)
/** The platform took the record and will tell the outcome later (state 2): wait for the downlink. */
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
     * service_name, kind ("request", "notice", "echo", "result"), redelivered (true: the software may have had it before;
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
     * Called for every line up to the level of option "log.level". level is one of PARKLINK_LOG_*. line has no line
     * end and is borrowed: it is gone when the function returns. It never holds a key or a token.
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
     * gives: "ok", "expired", "outbox_full", and so on), message, reply (the platform's, or null).
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
 * Starts the connections and returns at once, without waiting for them: see parklink_wait_ready. They reconnect and
 * log in again by themselves until the handle is closed. Any thread.
 * Errors: ARGUMENT, ENCODING, TOO_LARGE, CONFIG, IO (the log folder, listen.addr), DISK_FULL, STORE_READ_ONLY,
 * STORE_LOCKED, STORE_FOREIGN, STORE_NEWER (store.dir), BUSY (1024 handles are open), FORKED.
 */
parklink_code PARKLINK_CALL parklink_open(const char *config_json, parklink_t **out);

/**
 * Closes a handle. Every call that waits on it in another thread is woken and returns PARKLINK_E_CLOSED, every thread
 * of the handle ends, every destroy runs; after the return no callback of the handle runs.
 *
 * timeout_ms: how long to wait for a callback that is running. When it still runs then, the call returns
 * PARKLINK_E_TIMEOUT; the handle is dead all the same, no further callback starts, and destroy runs when the callback
 * returns at last.
 * left: gets how much is not finished, in one number: downlinks that you have not answered, answers that were not sent,
 * and, with a store, records that wait on disk for any platform and go out after the next open. Dead letters do not count.
 * Told with TIMEOUT too; 0 when the call fails otherwise. May be NULL. The parts stand in parklink_status before, and in
 * the log.
 *
 * Any thread, but not inside a callback of this handle: there it does nothing and returns PARKLINK_E_IN_CALLBACK.
 * Errors: ARGUMENT, CLOSED (also for the second of two closes), IN_CALLBACK, TIMEOUT, FORKED.
 */
parklink_code PARKLINK_CALL parklink_close(parklink_t *handle, uint32_t timeout_ms, uint64_t *left);

/**
 * Waits until every configured platform has logged us in, or one has failed to.
 *
 * timeout_ms: how long at most; 0 only looks.
 *
 * Not needed before other calls: it tells early what is wrong with keys and addresses. Any thread, but not inside a
 * callback of this handle.
 * Errors: OFFLINE, LOGIN_REFUSED (the text tells which platform and why), IN_CALLBACK, ARGUMENT, CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_wait_ready(parklink_t *handle, uint32_t timeout_ms);

/**
 * Uploads a record and waits for the platform's answer.
 *
 * json: one JSON object with service_name and the fields of the documents (SDK 2.1 to 2.44, 4.1, 7.1 to 7.7); borrowed
 * for the call. It goes to every platform that takes this service and is configured: an entry or exit to two, and then
 * links in the reply tells of each. Where one of them fails the code is its, but a charge that Bolink has taken (OK,
 * PENDING) keeps its code. Under the service_name of a downlink it is the answer to that downlink.
 * reply: gets the platform's reply as JSON, also when the platform refused; NULL in it when there is none. May be NULL.
 * Free it with parklink_string_free.
 *
 * Waits at most the platform's request_timeout_ms (cloud., bolink., union., etcp.). Any thread, also inside a callback.
 * Errors: ARGUMENT, ENCODING, JSON, TOO_LARGE, UNKNOWN_INTERFACE, INVALID, NOT_CONFIGURED, UNSUPPORTED, OFFLINE,
 * TIMEOUT, BROKEN, REFUSED, LOGIN_REFUSED, RATE_LIMITED, PROTOCOL, HTTP, TLS, PROXY, NOT_STORED, QUEUED (with a store:
 * the record is on disk and will be sent; reply has its ticket), OUTBOX_FULL, DISK_FULL, PENDING (wait for the
 * downlink), CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_upload(parklink_t *handle, const char *json, char **reply);

/**
 * Calls one interface by its id, on its own platform only.
 *
 * interface_id: its id in docs/interfaces/README.md, such as "bolink.query_order"; borrowed for the call.
 * json: its fields; borrowed for the call.
 * reply: as in parklink_upload, and so are waiting, threads and errors.
 */
parklink_code PARKLINK_CALL parklink_call(parklink_t *handle, const char *interface_id, const char *json, char **reply);

/**
 * Uploads an entry (SDK 2.1); parklink_upload with service_name in_park.
 */
parklink_code PARKLINK_CALL parklink_in_park(parklink_t *handle, const char *json, char **reply);

/**
 * Uploads an exit (SDK 2.2); parklink_upload with service_name out_park. PARKLINK_E_PENDING: the platform is taking the
 * money, or says of a charge repeated after a timeout that it received it before; raise the barrier only when the
 * downlink outpark says state 1.
 */
parklink_code PARKLINK_CALL parklink_out_park(parklink_t *handle, const char *json, char **reply);

/**
 * Charges by ETC (SDK 2.37); parklink_upload with service_name etc_pay. PARKLINK_E_PENDING as in parklink_out_park.
 */
parklink_code PARKLINK_CALL parklink_etc_pay(parklink_t *handle, const char *json, char **reply);

/**
 * Asks whether a plate can pay without contact (SDK 4.1). Answered at once from what the library knows: net_status says
 * whether the payment platform can be reached, balance and autopay are what it pushed last.
 */
parklink_code PARKLINK_CALL parklink_pay_status(parklink_t *handle, const char *json, char **reply);

/**
 * Registers what takes downlinks; NULL removes it.
 *
 * callbacks: copied; the struct is borrowed for the call.
 *
 * A registration replaces the one before, whose destroy runs when its last call is over. When the call fails, destroy of
 * the given struct has run before the return. Downlinks that came before are delivered now. Without callbacks and
 * without polling the platform gets a refusal in proper form. Any thread, also inside a callback.
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
 * Sends the answer without waiting for the platform to read it. Any thread, also inside a callback. Each downlink once,
 * within events.keep_s seconds.
 * Errors: ARGUMENT, ENCODING, JSON, TOO_LARGE, INVALID, UNKNOWN_EVENT, OFFLINE, CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_reply(parklink_t *handle, uint64_t event_id, const char *json);

/**
 * Waits for the next downlink: for programs that ask instead of being called.
 *
 * timeout_ms: how long at most; 0 only looks.
 * event_json: gets what on_downlink would get, with event_id in it; NULL in it when none came. Free it with
 * parklink_string_free.
 *
 * Several threads may poll; each downlink goes to one of them. Answer with parklink_reply. Not inside a callback of this
 * handle.
 * Errors: NO_EVENT (none came in time), ARGUMENT, BUSY (callbacks are registered), IN_CALLBACK, CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_poll(parklink_t *handle, uint32_t timeout_ms, char **event_json);

/**
 * Registers what takes the lines of the log; NULL removes it.
 *
 * callbacks: copied; the struct is borrowed for the call.
 *
 * As parklink_on_downlink; both run on the same thread. The log folder of log_show is written all the same. Any thread.
 * Errors: ARGUMENT (struct_size or on_log), CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_on_log(parklink_t *handle, const parklink_log_callbacks *callbacks);

/**
 * Tells everything a field engineer asks for: links, heartbeats, queues, counters.
 *
 * json: gets one JSON object, see docs/status.md. NULL asks only whether the handle is good. Free it with
 * parklink_string_free.
 *
 * Does not wait. Any thread, also inside a callback.
 * Errors: CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_status(parklink_t *handle, char **json);

/**
 * Stores a record; when it returns PARKLINK_OK the record is on disk and will reach its platforms, whatever happens to
 * network, program or power meanwhile.
 *
 * json: as in parklink_upload; borrowed for the call. Records of one order (order_id; card_id of cards, and so on) leave
 * in the order in which they were stored, those of other orders are not held up. Questions, and exits that ask for money
 * now (pay_type wallet, sweepcode), are not stored: upload them.
 * ticket: gets the number that parklink_on_delivery tells the outcome under. May be NULL.
 *
 * Needs option store.dir. Waits for the disk, not for the platform; concurrent calls share one sync. Any thread, also
 * inside a callback.
 * Errors: ARGUMENT, ENCODING, JSON, TOO_LARGE, UNKNOWN_INTERFACE, INVALID, NOT_CONFIGURED (also: no store.dir),
 * UNSUPPORTED, OUTBOX_FULL, DISK_FULL, STORE_READ_ONLY, IO, CLOSED, FORKED. After any of them nothing is stored.
 */
parklink_code PARKLINK_CALL parklink_submit(parklink_t *handle, const char *json, uint64_t *ticket);

/**
 * Registers what hears of the outcome of stored records; NULL removes it.
 *
 * callbacks: copied; the struct is borrowed for the call.
 *
 * As parklink_on_downlink; both run on the same thread. A record for two platforms is reported twice, once for each. An
 * outcome that falls between a crash and the report is not told again. Any thread.
 * Errors: ARGUMENT (struct_size or on_delivery), CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_on_delivery(parklink_t *handle, const parklink_delivery_callbacks *callbacks);

/**
 * Waits until every stored record is settled: delivered, a dead letter, or (logs only) dropped.
 *
 * timeout_ms: how long at most; 0 only looks.
 * left: gets how many are not. May be NULL.
 *
 * Any thread, but not inside a callback of this handle.
 * Errors: ARGUMENT, NOT_CONFIGURED (no store.dir), IN_CALLBACK, CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_flush(parklink_t *handle, uint32_t timeout_ms, uint64_t *left);

/**
 * Lists dead letters: records that a platform refused for a reason that repetition cannot cure, or that waited longer
 * than store.max_age_days (code "expired").
 *
 * after: 0 for the first ones, then the id of the last one seen.
 * limit: how many at most.
 * json: gets a JSON array, oldest first; each with id, ticket, platform, interface, service_name, data, created_ms,
 * died_ms, attempts, code, message, reply. Free it with parklink_string_free.
 *
 * Any thread, also inside a callback.
 * Errors: ARGUMENT, NOT_CONFIGURED (no store.dir), IO, CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_dead_list(parklink_t *handle, uint64_t after, uint32_t limit, char **json);

/**
 * Sends dead letters again, as if they were new. To the cloud they go with another random_temp: it remembers what it has
 * refused, and would not look at the same bytes again.
 *
 * ticket: whose; 0 for all.
 * count: gets how many. May be NULL.
 *
 * Any thread. Errors: ARGUMENT, NOT_CONFIGURED (no store.dir), DISK_FULL, IO, CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_dead_retry(parklink_t *handle, uint64_t ticket, uint64_t *count);

/**
 * Deletes dead letters for good.
 *
 * ticket: whose; 0 for all.
 * count: gets how many. May be NULL.
 *
 * Any thread. Errors: ARGUMENT, NOT_CONFIGURED (no store.dir), IO, CLOSED, FORKED.
 */
parklink_code PARKLINK_CALL parklink_dead_delete(parklink_t *handle, uint64_t ticket, uint64_t *count);

/**
 * Writes every dead letter into a file, one JSON object a line.
 *
 * path: the file, made or written over; borrowed for the call.
 * count: gets how many. May be NULL.
 *
 * Any thread. Errors: ARGUMENT, ENCODING, NOT_CONFIGURED (no store.dir), IO, CLOSED, FORKED.
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
 * 1 when the same call can succeed later without a change by you, else 0. Any thread. After PARKLINK_E_TIMEOUT and
 * PARKLINK_E_BROKEN the platform may have taken the record already.
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
