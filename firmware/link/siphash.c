/* SipHash-2-4. The names of the state are those of the paper's section 2. */
#include "link/siphash.h"

typedef struct sip_state {
    uint64_t v0, v1, v2, v3;
} sip_state;

static uint64_t rotate(uint64_t x, unsigned int bits) { return (x << bits) | (x >> (64 - bits)); }

static void sip_round(sip_state *s) {
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32) + s->v3;
    s->v2 += s->v1;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static void compress(sip_state *s, uint64_t word) {
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

/* Up to 8 bytes, the first one lowest. */
static uint64_t load(const uint8_t *bytes, uint32_t count) {
    uint64_t word = 0;
    for (uint32_t i = 0; i < count; i++) {
        word |= (uint64_t)bytes[i] << (8 * i);
    }
    return word;
}

uint64_t siphash(const siphash_key *key, const uint8_t *bytes, uint32_t count) {
    sip_state s = {
        .v0 = key->low ^ 0x736F6D6570736575ull,
        .v1 = key->high ^ 0x646F72616E646F6Dull,
        .v2 = key->low ^ 0x6C7967656E657261ull,
        .v3 = key->high ^ 0x7465646279746573ull,
    };
    const uint32_t whole = count & ~7u;
    for (uint32_t at = 0; at < whole; at += 8) {
        compress(&s, load(bytes + at, 8));
    }
    compress(&s, load(bytes + whole, count - whole) | ((uint64_t)count << 56));
    s.v2 ^= 0xFF;
    for (int i = 0; i < 4; i++) {
        sip_round(&s);
    }
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
