"""How the reference orders the keys of an operation, and what it says before them."""

from __future__ import annotations

TOPICS = {
    "An operation": "name operation description target_entity operation_type parameters grants",
    "What it writes or reads": "update_data insert_data upsert_data conflict_target update_columns"
    " select_fields returning function input",
    "What it works through": "where_condition data_source match_on",
    "CSV files": "field_mapping csv_delimiter csv_has_header csv_quote csv_escape csv_encoding csv_null"
    " csv_date_format csv_datetime_format"
    " validation_rules skip_invalid_rows reject_file",
    "Limits and safety": "batch_size target_duration max_records on_limit timeout lock_timeout"
    " statement_timeout requires_confirmation preconditions parallel_runs atomic",
    "Errors": "error_handling max_errors max_errors_per_worker error_isolation retry",
    "Steps": "steps depends_on output",
    "Progress, logs and messages": "progress_tracking progress_notification_interval logging_level log_table"
    " collect_metrics metrics_table notify_on_completion notification_message notification_channels",
    "Workers": "parallel max_workers worker_batch_size heartbeat_interval",
}
"""Title to keys; a key that is new stands under More until it is put into its place here."""

FIELD_INTRODUCTION = """\
A field is a type, as in `email: string`, or a map of these keys. The examples stand in
`price: {type: "decimal(10,2)"}`."""

OPERATION_INTRODUCTION = """\
An entry of `patterns`. Its keys are those of this section and of the next ones. Where an example names
nothing else, it stands in this operation, in place of the key if that is there:"""
