/*
 * What the lot uploads in its day, each as the documents have it. %s is the number of this run, so that the day can be run
 * again. Plates are Chinese text in UTF-8: E4 BA AC is the sign for Beijing.
 */
#ifndef DAY_RECORDS_H
#define DAY_RECORDS_H

#define PLATE_A "\xE4\xBA\xAC" "A12345"
#define PLATE_B "\xE4\xBA\xAC" "B22222"
#define PLATE_C "\xE4\xBA\xAC" "C33333"

#define ENTRY(order, plate)                                                                                            \
    "{\"order_id\":\"" order "_%s\",\"car_number\":\"" plate "\",\"in_time\":1790875218,\"car_type\":\"small\","       \
    "\"c_type\":\"lane\",\"uid\":\"880099\",\"empty_plot\":20,\"in_channel_id\":\"A1\"}"

#define EXIT(order, plate, how, money, more)                                                                           \
    "{\"order_id\":\"" order "_%s\",\"car_number\":\"" plate "\",\"in_time\":1790875218,\"out_time\":1790879218,"      \
    "\"car_type\":\"small\",\"c_type\":\"lane\",\"uid\":\"880099\",\"out_uid\":\"880099\",\"empty_plot\":21,"          \
    "\"out_channel_id\":\"A2\",\"pay_type\":\"" how "\",\"total\":\"" money "\",\"amount_receivable\":\"" money "\"" more "}"

#define COLLECTOR                                                                                                      \
    "{\"service_name\":\"upload_collector\",\"data_target\":\"cloud\",\"user_id\":\"880099\",\"name\":\"Li\","         \
    "\"operate_type\":1,\"create_time\":1790870000}"
#define GATE                                                                                                           \
    "{\"service_name\":\"upload_gate\",\"data_target\":\"cloud\",\"channel_id\":\"A1\",\"passname\":\"South\","        \
    "\"passtype\":0,\"worksite_id\":1,\"operate_type\":1}"
#define SHIFT_BEGINS                                                                                                   \
    "{\"service_name\":\"work_record\",\"data_target\":\"cloud\",\"uuid\":\"shift_%s\",\"user_id\":\"880099\","        \
    "\"start_time\":1790870000,\"state\":0}"
#define SHIFT_ENDS                                                                                                     \
    "{\"service_name\":\"work_record\",\"data_target\":\"cloud\",\"uuid\":\"shift_%s\",\"user_id\":\"880099\","        \
    "\"start_time\":1790870000,\"end_time\":1790899000,\"state\":1}"
#define MEMBER                                                                                                         \
    "{\"service_name\":\"upload_month_member\",\"data_target\":\"cloud\",\"card_id\":\"card_%s\",\"operate_type\":1,"  \
    "\"car_number\":\"" PLATE_A "\",\"begin_time\":1790875218,\"end_time\":1793467218,\"price\":\"150.00\","           \
    "\"amount_receivable\":\"200.00\",\"name\":\"Wang\"}"
#define MEMBER_PAYS                                                                                                    \
    "{\"service_name\":\"month_pay_record\",\"data_target\":\"cloud\",\"trade_no\":\"renewal_%s\",\"card_id\":\"card_%s\","  \
    "\"pay_time\":1790875300,\"amount_receivable\":\"200.00\",\"pay_type\":\"cash\",\"collector\":\"880099\","         \
    "\"buy_month\":1,\"car_number\":\"" PLATE_A "\",\"start_time\":1790875218,\"limit_day\":1793467218}"
#define LIFT                                                                                                           \
    "{\"service_name\":\"upload_liftrod\",\"data_target\":\"cloud\",\"liftrod_id\":\"lift_%s\",\"channel_id\":\"A1\"," \
    "\"user_id\":\"880099\",\"operate\":0,\"create_time\":1790875400,\"update_time\":1790875400,\"reason\":\"1\"}"
#define LOG_LINE                                                                                                       \
    "{\"service_name\":\"park_log\",\"data_target\":\"cloud\",\"log_id\":\"log_%s\",\"content\":\"a change of prices\"," \
    "\"user_id\":\"880099\",\"operate_time\":1790875500}"
#define ETC                                                                                                            \
    "{\"service_name\":\"etc_pay\",\"data_target\":\"cloud\",\"park_id\":\"21782\",\"order_id\":\"C_%s\","             \
    "\"car_number\":\"" PLATE_C "\",\"in_time\":1790875218,\"out_time\":1790879218,\"empty_plot\":22,"                 \
    "\"total_original\":\"5.00\",\"total\":\"5.00\",\"in_channel_id\":\"A1\",\"out_channel_id\":\"A2\","               \
    "\"inpark_img\":\"https://example.com/in.jpg\",\"outpark_img\":\"https://example.com/out.jpg\","                   \
    "\"parking_time\":\"66\",\"lane_no\":\"000123\",\"pay_type\":\"my\"}"
#define SETTLED                                                                                                        \
    "{\"service_name\":\"upload_order\",\"data_target\":\"cloud\",\"order_id\":\"C_%s\",\"car_number\":\"" PLATE_C "\"," \
    "\"in_time\":1790875218,\"out_time\":1790879218,\"uid\":\"880099\",\"car_type\":\"small\",\"c_type\":\"lane\","    \
    "\"pay_type\":\"etc_pay\",\"empty_plot\":23,\"total\":\"5.00\",\"amount_receivable\":\"5.00\"}"
#define PAID                                                                                                           \
    "{\"service_name\":\"query_order\",\"data_target\":\"bolink\",\"order_id\":\"A_%s\",\"time_temp\":1790879000000}"
#define PAY_STATUS "{\"order_id\":\"B_%s\",\"car_number\":\"" PLATE_B "\"}"

/* What the control API of the sandbox is asked: the driver, the cloud's web pages, the operator at the screen. */
#define WALLET "{\"car_number\":\"" PLATE_B "\",\"balance\":\"100.00\",\"autopay\":1}"
#define SCAN "{\"order_id\":\"A_%s\",\"car_number\":\"" PLATE_A "\"}"
#define PREPAY "{\"order_id\":\"A_%s\"}"
#define NO_PLATE "{\"phone\":\"138%s\",\"channel_id\":\"A1\"}"
#define COUPON "{\"order_id\":\"C_%s\",\"ticket_id\":\"%s\",\"money\":\"2.00\"}"
#define PRICE "{\"price_id\":\"price_%s\",\"car_type\":\"small\",\"describe\":\"5 yuan an hour\"}"
#define CARD                                                                                                           \
    "{\"service_name\":\"month_member_sync\",\"data\":{\"card_id\":\"cloud_card_%s\",\"car_number\":\"" PLATE_A "\","  \
    "\"operate_type\":1,\"begin_time\":1790875218,\"end_time\":1793467218,\"name\":\"Zhao\"}}"
#define RAISE                                                                                                          \
    "{\"message\":{\"service_name\":\"operate_liftrod\",\"channel_id\":\"A1\",\"channel_name\":\"South\",\"operate\":0}}"
#define LOCK                                                                                                           \
    "{\"message\":{\"service_name\":\"lock_car\",\"order_id\":\"C_%s\",\"is_locked\":1,\"lock_key\":\"2345\"}}"

#endif
