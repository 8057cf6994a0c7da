/*
 * upload_util: the native functions of the original parking SDK, exported by parklink 0.1.0.
 *
 * Generated from src/abi by `cargo run -p xtask -- header`. Do not edit.
 *
 * For software that was made for the original SDK: load libparklink.so or parklink.dll in place of its library and
 * leave the code as it is. New software is better served by parklink.h, which has error codes, handles and timeouts.
 * docs/switching.md tells what to look at when switching.
 *
 * THE CONTRACT
 *
 * One instance for the process. Order: SetReceiveData, Init, everything else, UnInit. Any thread, several at once.
 *
 * Texts are NUL-terminated UTF-8 (whatever option encoding says), each one JSON object of at most 4 MiB. What you give is
 * borrowed for the call.
 *
 * Answers are never NULL (except when memory is out). A failure is {"state":0,"errmsg":"..."}, with service_name and the
 * number of the record where there is one: JSON that is none, a NULL, a process that was forked after Init, a defect
 * inside the library included. None of them crashes. With option store.dir, state 1 says too that a record is on disk and
 * will be sent (errmsg then says why it was not sent now).
 *
 * Returned strings belong to the library. You need not free them: each stays readable until 4096 more strings have been
 * returned in the process, or until the later ones make up 16 MiB (the newest 64 stay in any case), so it cannot grow
 * without bound. At one record a second 4096 strings are more than an hour. UploadUtilNative_FreeString frees one
 * earlier; a second time, or with a pointer that is not one of these, it does nothing.
 *
 * Never pass them to free() of your C runtime: the first time ends the program. (A C# function with a result of type
 * string does it unseen: give it IntPtr.) Software that does so already, and cannot be changed, sets the environment
 * variable UPLOADUTIL_STRINGS=malloc before it starts: then every string comes from malloc of the C runtime this library
 * is linked with and belongs to the caller, who frees it with free() of the same runtime or with
 * UploadUtilNative_FreeString, once; what he does not free is never freed.
 *
 * The function given to SetReceiveData gets what the platforms ask or tell, as they sent it, and the later answers to
 * UploadData. It must not throw a C++ exception or end its thread.
 *
 * C99 or later, C++11 or later; no macro needs to be defined.
 */
#ifndef UPLOAD_UTIL_H
#define UPLOAD_UTIL_H

/* Calling conventions: empty except on 32-bit Windows, where the functions are cdecl and the callback is stdcall. */
#if defined(_WIN32) && !defined(_WIN64)
#define UPLOAD_UTIL_CALL __cdecl
#define UPLOAD_UTIL_CALLBACK __stdcall
#else
#define UPLOAD_UTIL_CALL
#define UPLOAD_UTIL_CALLBACK
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Takes downlinks and later answers: one JSON text, UTF-8, borrowed for the call.
 */
typedef void (UPLOAD_UTIL_CALLBACK *upload_util_receive_fn)(const char *json);

/**
 * Connects and logs in, and waits for it up to 10 seconds; before that, with option store.dir, for the store to open.
 *
 * json: the members of SDK 1.1 or 1.2 and the options of docs/options.md; others are passed over, with a line in the log.
 *
 * Answers {"state":1,"errmsg":""} when every configured platform has logged us in, and {"state":0,"errmsg":"..."} when one
 * refused (errmsg holds its reason) or did not answer in time, or when it could not begin (a wrong configuration, its log
 * folder, store or port). State 1 with an errmsg: the cloud does not know the lot, payment works (SDK 5.2). Once it has
 * begun, the library goes on trying by itself after a 0, and the other functions work as soon as it has succeeded. Called
 * again with the same text it tells how things stand, again after up to 10 seconds; with another text it first does what
 * UnInit does. Called with the same text inside the function of SetReceiveData it does not wait: it tells how things stand
 * at once. With another text do not call it there: with a store, nothing may run after it.
 */
char *UPLOAD_UTIL_CALL UploadUtilNative_Init(const char *json);

/**
 * Uploads an entry (SDK 2.1) and waits for the answer, by default 10 seconds (cloud.request_timeout_ms,
 * bolink.request_timeout_ms): state, order_id, service_name, errmsg, and what else the platform says.
 */
char *UPLOAD_UTIL_CALL UploadUtilNative_UploadInParkOrder(const char *json);

/**
 * Uploads an exit (SDK 2.2) and waits for the answer as for an entry's. State 2: the platform is taking the money, or did
 * not say whether it has. Raise the barrier only when outpark (SDK 3.4) comes through the function of SetReceiveData and
 * says state 1. When it says another, call again; when nothing comes within 2 minutes, ask (query_order, SDK 2.19) or
 * call again.
 */
char *UPLOAD_UTIL_CALL UploadUtilNative_UploadOutParkOrder(const char *json);

/**
 * Asks whether a plate can pay without contact, and whether the payment platform can be reached (SDK 4.1). Answers from
 * what that pushed last, without asking it.
 */
char *UPLOAD_UTIL_CALL UploadUtilNative_GetPayStatus(const char *json);

/**
 * Uploads any record by its service_name, or answers a downlink under the downlink's service_name.
 *
 * A record: {"state":1,"errmsg":"send success!"} says that it was taken over; the platform's answer, or state 0 when there
 * is none, comes later through the function of SetReceiveData, under the same service_name. 1000 may wait for their turn,
 * one more is refused (state 0). Records that the documents answer at once (in_park, out_park, pay_status, upload_carpic,
 * check_account, screen_info) and, with set_params.fast true, all records, are answered on the call. An answer to a
 * downlink: state 1 says that it is on its way.
 */
char *UPLOAD_UTIL_CALL UploadUtilNative_UploadData(const char *json);

/**
 * Ends it all: records that were taken over may still go out for up to 5 seconds, then the connections are closed.
 * Returns within 10 seconds, but for a connection that takes no bytes (5 seconds more) and a store on a slow disk;
 * afterwards the function of SetReceiveData is not called any more (one that has not come back by then is not waited
 * for). Called inside that function, it returns at once and the end follows by itself. Without an Init before it, it does
 * nothing.
 */
void UPLOAD_UTIL_CALL UploadUtilNative_UnInit(void);

/**
 * Sets the function that takes downlinks and later answers; NULL removes it. Best before Init, and kept over UnInit. It is
 * called on a thread of the library, one message at a time; while it works, further messages wait (beyond events.queue
 * downlinks are refused). Every function here may be called inside it. Without it the platforms get a refusal to what
 * they ask, from 2 seconds after Init on.
 */
void UPLOAD_UTIL_CALL UploadUtilNative_SetReceiveData(upload_util_receive_fn receive);

/**
 * Frees a string that one of these functions returned, earlier than it would be freed anyway. Not in the original; NULL is
 * allowed.
 */
void UPLOAD_UTIL_CALL UploadUtilNative_FreeString(char *text);

#ifdef __cplusplus
}
#endif

#endif
