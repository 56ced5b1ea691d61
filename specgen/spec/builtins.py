"""What PostgreSQL brings under a name of its own, in every version from 15 on.

A function is left out that looks names up when it runs: what ``nextval('numbers')`` means depends on the
search path even where the function does not. So are those that no condition and no value calls: of types'
input and output, of indexes, and what reads the catalog.
"""

from __future__ import annotations

_FUNCTIONS = """
abbrev abs acos acosd acosh age area array_agg array_append array_dims array_fill array_length
array_lower array_ndims array_position array_positions array_prepend array_remove array_replace
array_to_json array_to_string array_to_tsvector array_upper ascii asin asind asinh atan atan2 atan2d
atand atanh avg bit bit_and bit_count bit_length bit_or bit_xor bool bool_and bool_or bound_box box
bpchar broadcast cardinality cash_words cbrt ceil ceiling center char char_length character_length chr
cidr circle clock_timestamp concat concat_ws convert convert_from convert_to corr cos cosd cosh cot
cotd count covar_pop covar_samp cume_dist current_database current_query current_setting current_user
date date_bin date_part date_trunc datemultirange daterange decode degrees dense_rank diagonal
diameter div encode enum_first enum_last enum_range every exp extract factorial family first_value
float4 float8 floor format format_type gcd gen_random_uuid generate_series generate_subscripts get_bit
get_byte getdatabaseencoding height host hostmask initcap int2 int4 int4multirange int4range int8
int8_avg int8multirange int8range interval is_normalized isclosed isempty isfinite ishorizontal isopen
isparallel isperp isvertical json_agg json_array_elements json_array_elements_text json_array_length
json_build_array json_build_object json_each json_each_text json_extract_path json_extract_path_text
json_object json_object_agg json_object_keys json_populate_record json_populate_recordset
json_strip_nulls json_to_record json_to_recordset json_typeof jsonb_agg jsonb_array_elements
jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_delete
jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object
jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz jsonb_path_match
jsonb_path_match_tz jsonb_path_query jsonb_path_query_array jsonb_path_query_array_tz
jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record
jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record
jsonb_to_recordset jsonb_typeof justify_days justify_hours justify_interval lag last_value lastval lcm
lead left length like line ln log log10 lower lower_inc lower_inf lpad lseg ltrim macaddr macaddr8
macaddr8_set7bit make_date make_interval make_time make_timestamp make_timestamptz masklen max md5 min
min_scale mod mode money multirange name netmask network normalize now npoints nth_value ntile
num_nonnulls num_nulls numeric nummultirange numnode numrange octet_length oid overlaps overlay
parse_ident path pclose percent_rank percentile_cont percentile_disc pi point polygon popen position
pow power quote_ident quote_literal quote_nullable radians radius random range_agg range_intersect_agg
range_merge rank regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace
regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx regr_avgy regr_count
regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat replace reverse right round
row_number row_to_json rpad rtrim scale session_user set_bit set_byte set_masklen setseed setweight
sha224 sha256 sha384 sha512 sign similar_escape similar_to_escape sin sind sinh slope split_part sqrt
statement_timestamp stddev stddev_pop stddev_samp string_agg string_to_array string_to_table strip
strpos substr substring sum tan tand tanh text time timeofday timestamp timestamptz timetz timezone
to_ascii to_char to_date to_hex to_json to_jsonb to_number to_timestamp transaction_timestamp
translate trim_array trim_scale trunc ts_delete ts_filter ts_rank ts_rank_cd tsmultirange
tsquery_phrase tsrange tstzmultirange tstzrange tsvector_to_array unistr unnest upper upper_inc
upper_inf var_pop var_samp varbit varchar variance version width width_bucket xid xml
xml_is_well_formed xml_is_well_formed_content xml_is_well_formed_document xmlagg xmlcomment xmlexists
xpath xpath_exists
"""
FUNCTIONS = frozenset(_FUNCTIONS.split())
"""Functions of pg_catalog, by name."""

_TEXT_ARGUMENTS = """
array_to_string:.t array_to_string:.tt ascii:t btrim:t casefold:t convert_to:t. date_trunc:t. date_trunc:t.t
decode:tt encode:.t initcap:t is_normalized:t left:t. lpad:t. lpad:t.t ltrim:t normalize:t parse_ident:t
parse_ident:t. phraseto_tsquery:t phraseto_tsquery:.t plainto_tsquery:t plainto_tsquery:.t quote_ident:t
regexp_count:tt regexp_like:tt regexp_like:ttt regexp_replace:ttt regexp_replace:tttt regexp_split_to_array:tt
regexp_split_to_array:ttt regexp_substr:tt repeat:t. replace:ttt right:t. rpad:t. rpad:t.t rtrim:t
split_part:tt. starts_with:tt string_to_array:tt string_to_array:ttt strpos:tt to_char:.t to_date:tt
to_number:tt to_timestamp:tt to_tsquery:t to_tsquery:.t to_tsvector:t to_tsvector:.t translate:ttt unistr:t
websearch_to_tsquery:t websearch_to_tsquery:.t xml_is_well_formed:t xmlcomment:t
"""
TEXT_ARGUMENTS = frozenset(
    (name, len(places), place)
    for name, _, places in (word.partition(":") for word in _TEXT_ARGUMENTS.split())
    for place, kind in enumerate(places)
    if kind == "t"
)
"""Arguments that are texts: a function's name, with how many arguments it is called, and the place of one."""

_OPERATORS = """
= <> != < <= > >= + - * / ^ || ~ ~* !~ !~* ~~ ~~* !~~ !~~*
-> ->> #> #>> #- @> <@ && ? ?| ?& @? @@
"""
OPERATORS = frozenset(_OPERATORS.split())
"""Operators that are pg_catalog's between values of its types, and that nobody has reason to add to them."""

COLLATIONS = frozenset(("C", "POSIX", "default", "ucs_basic", "unicode", "C.utf8"))
"""Collations of pg_catalog that every server may have."""

_TYPES = """
"char" aclitem bit bool boolean box bpchar bytea character cid cidr circle date datemultirange daterange
float4 float8 inet int2 int2vector int4 int4multirange int4range int8 int8multirange int8range integer
bigint smallint interval json jsonb jsonpath line lseg macaddr macaddr8 money name numeric nummultirange
numrange oid oidvector path pg_lsn pg_snapshot point polygon real refcursor regclass regcollation
regconfig regdictionary regnamespace regoper regoperator regproc regprocedure regrole regtype text tid
time timestamp timestamptz timetz tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector
txid_snapshot uuid varbit varchar xid xid8 xml
"""
TYPES = frozenset((*_TYPES.split(), "double precision", "bit varying", "character varying"))
"""Types of pg_catalog that a column can have and whose values can be written, by every name of one word,
and by those of several that this program writes."""

_UNORDERED = """
aclitem box cid circle json jsonpath line lseg path pg_snapshot point polygon refcursor txid_snapshot xid xml
"""
UNORDERED_TYPES = frozenset(_UNORDERED.split())
"""Types of pg_catalog without an order, and so without a unique index and keys."""

EXTENSION_TYPES = frozenset(("citext", "geography", "geometry", "halfvec", "hstore", "ltree", "vector"))
"""Types that the language knows by name, and an extension brings."""
