/* Hexadecimal and base64, declared in crypto.h beside what uses them. Decoding is strict: one text
 * for one value, so that a signature has one spelling. */
#include "server/base/crypto.h"

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
hex_append(struct strbuf *buf, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        const unsigned char byte = (unsigned char)bytes.ptr[i];
        strbuf_add_char(buf, hex_digits[byte >> 4]);
        strbuf_add_char(buf, hex_digits[byte & 15]);
    }
}

static int
digit_value(char c, const char *digits)
{
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

int
hex_decode(struct bytes text, unsigned char *ret_bytes, size_t len, struct err *err)
{
    if (text.len != 2 * len)
        return err_set(err, ERR_INVALID, "expected %zu hexadecimal digits", 2 * len);
    for (size_t i = 0; i < text.len; i++)
        if (digit_value(text.ptr[i], hex_digits) < 0)
            return err_set(err, ERR_INVALID, "expected lower-case hexadecimal digits");
    for (size_t i = 0; i < len; i++)
        ret_bytes[i] = (unsigned char)(16 * digit_value(text.ptr[2 * i], hex_digits) +
                                       digit_value(text.ptr[2 * i + 1], hex_digits));
    return 0;
}

static void
append_base64(struct strbuf *buf, struct bytes bytes, const char *digits, bool padded)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        const size_t left = bytes.len - i < 3 ? bytes.len - i : 3;
        unsigned group = 0;

        for (size_t k = 0; k < 3; k++)
            group = group << 8 | (k < left ? (unsigned char)bytes.ptr[i + k] : 0U);
        for (size_t k = 0; k < left + 1; k++)
            strbuf_add_char(buf, digits[group >> (18 - 6 * k) & 63]);
        for (size_t k = left; padded && k < 3; k++)
            strbuf_add_char(buf, '=');
    }
}

void
base64_append(struct strbuf *buf, struct bytes bytes)
{
    append_base64(buf, bytes, base64_digits, true);
}

void
base64url_append(struct strbuf *buf, struct bytes bytes)
{
    append_base64(buf, bytes, base64url_digits, false);
}

/* One group of four characters; `padding` of them are '='. */
static int
decode_group(const char *group, size_t padding, struct strbuf *buf, struct err *err)
{
    unsigned value = 0;

    for (size_t k = 0; k < 4; k++) {
        const int digit = k >= 4 - padding ? 0 : digit_value(group[k], base64_digits);
        if (digit < 0)
            return err_set(err, ERR_INVALID, "not base64");
        value = value << 6 | (unsigned)digit;
    }
    if ((padding == 1 && (value & 0xFF)) || (padding == 2 && (value & 0xFFFF)))
        return err_set(err, ERR_INVALID, "not canonical base64");
    for (size_t k = 0; k < 3 - padding; k++)
        strbuf_add_char(buf, (char)(value >> (16 - 8 * k) & 0xFF));
    return 0;
}

int
base64_decode(struct bytes text, struct strbuf *buf, struct err *err)
{
    if (text.len % 4 != 0)
        return err_set(err, ERR_INVALID, "not base64: its length is not a multiple of 4");
    for (size_t i = 0; i < text.len; i += 4) {
        const bool last = i + 4 == text.len;
        const char *group = text.ptr + i;
        const size_t padding = !last || group[3] != '=' ? 0 : group[2] == '=' ? 2 : 1;
        const int r = decode_group(group, padding, buf, err);
        if (r)
            return r;
    }
    return strbuf_ok(buf) ? 0 : err_set(err, buf->failed, "decoded base64 is too long");
}
