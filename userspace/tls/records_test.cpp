// SPDX-License-Identifier: Apache-2.0
// Our record layer against OpenSSL's after the handshake: KeyUpdates from both sides, damaged and misplaced records, alerts, limits.
#include "userspace/tls/records.hpp"

#include "tools/test/catch.hpp"
#include "userspace/tls/testing.hpp"

using namespace penstock;
using namespace penstock::tls;
using namespace penstock::tls::testing;

namespace {

using Means = PostHandshake::Means;

// Two record layers that talk to each other, with keys made up.
struct Wire {
    explicit Wire(bool tls13 = true, Cipher cipher = Cipher::aes128_gcm, std::uint64_t sequence = 0) : server(keys(tls13, cipher, sequence, Role::server)), client(keys(tls13, cipher, sequence, Role::client)) {}

    static HandOver keys(bool tls13, Cipher cipher, std::uint64_t sequence, Role role) {
        HandOver all;
        all.role = role;
        Direction to_server{.tls13 = tls13, .suite = {cipher, false}, .secret = Secret(std::vector<std::uint8_t>(32, 1)), .sequence = sequence};
        Direction to_client{.tls13 = tls13, .suite = {cipher, false}, .secret = Secret(std::vector<std::uint8_t>(32, 2)), .sequence = sequence};
        to_server.key = record_key(to_server.suite, to_server.secret);
        to_client.key = record_key(to_client.suite, to_client.secret);
        all.read = role == Role::server ? to_server : to_client;
        all.write = role == Role::server ? to_client : to_server;
        return all;
    }
    Records server, client;
    Bytes from_server, from_client;
};

Means read_one(Records& records, Bytes& bytes, Bytes& out, std::string* data = nullptr) {
    records.feed(bytes);
    const Records::Next got = records.next(out);
    if (data != nullptr) {
        data->assign(got.data.begin(), got.data.end());
    }
    return got.means;
}

// A record of the client's with any type and content, and what the server makes of it.
Means told(std::uint8_t type, std::vector<std::uint8_t> bytes, bool tls13 = true, Role role = Role::server) {
    const HandOver keys = Wire::keys(tls13, Cipher::aes128_gcm, 0, role);
    RecordCipher sealer(keys.read, true);
    Records records(Wire::keys(tls13, Cipher::aes128_gcm, 0, role));
    Bytes wire;
    sealer.seal(static_cast<ContentType>(type), bytes, wire);
    Bytes out;
    return read_one(records, wire, out);
}

void update(OpenSslEnd& end, bool ask) { REQUIRE(SSL_key_update(end.ssl(), ask ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED) == 1); }

}  // namespace

TEST_CASE("records: KeyUpdates of the peer, asked back or not, in both roles, as often as data flows") {
    const bool server_side = GENERATE(true, false);
    for (const Row& row : kRows) {
        if (row.version != kTls13 || !row.ours) {
            continue;
        }
        for (const std::size_t cut : {1UL, 100'000UL}) {
            const Talk talk = begin(row, server_side, cut);
            for (int i = 0; i < 40; ++i) {
                update(*talk.peer, i % 2 == 0);
                talk.peer->write("ping" + std::to_string(i));
                REQUIRE(pass(*talk.session, talk.peer->sent(), cut) == "ping" + std::to_string(i));
                REQUIRE(say(*talk.session, "pong"));
                talk.peer->receive(std::exchange(talk.session->output(), {}));
                REQUIRE(talk.peer->read() == "pong");
            }
        }
    }
}

TEST_CASE("records: our own key is renewed before its limit, in TLS 1.2 the connection ends there") {
    Wire wire(true, Cipher::aes128_gcm, kRecordsPerKeyMax - 1);
    std::string got;
    for (int i = 0; i < 3; ++i) {
        std::string text = "text" + std::to_string(i);
        iovec part = {text.data(), text.size()};
        REQUIRE(wire.server.write(std::span(&part, 1), wire.from_server));
        wire.client.feed(wire.from_server);
        Records::Next next = wire.client.next(wire.from_client);
        CHECK((next.means == Means::rekey) == (i == 1));
        if (next.means == Means::rekey) {
            next = wire.client.next(wire.from_client);
        }
        CHECK(std::string(next.data.begin(), next.data.end()) == text);
        wire.from_server.clear();
    }
    Wire old(false, Cipher::aes128_gcm, kRecordsPerKeyMax);
    std::string text = "text";
    iovec part = {text.data(), text.size()};
    CHECK_FALSE(old.server.write(std::span(&part, 1), old.from_server));
    CHECK(read_one(old.client, old.from_server, old.from_client) == Means::failed);
    CHECK(old.client.fault() == Fault::alert);
}

TEST_CASE("records: every damaged bit ends the connection, and the peer hears of it") {
    for (const bool tls13 : {true, false}) {
        for (const Cipher cipher : {Cipher::aes128_gcm, Cipher::aes256_gcm, Cipher::chacha20_poly1305}) {
            for (std::size_t bit = 0, size = 8; bit < size; ++bit) {
                Wire wire(tls13, cipher);
                std::string text = "hello";
                iovec part = {text.data(), text.size()};
                REQUIRE(wire.client.write(std::span(&part, 1), wire.from_client));
                size = 8 * wire.from_client.size();
                wire.from_client[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
                wire.server.feed(wire.from_client);
                const Records::Next got = wire.server.next(wire.from_server);
                if (got.none) {
                    CHECK((bit / 8 == 3 || bit / 8 == 4));  // a longer record than there is
                    CHECK(wire.server.missing() != 0);
                    continue;
                }
                CHECK(got.data.empty());
                CHECK(got.means == Means::failed);
                CHECK(wire.server.fault() == Fault::record);
                CHECK(read_one(wire.client, wire.from_server, wire.from_client) == Means::failed);
                CHECK(wire.client.fault() == Fault::alert);
            }
        }
    }
}

TEST_CASE("records: half a record gives nothing; another's end instead of its own is told to OpenSSL") {
    for (const Row& row : kRows) {
        if (!row.ours) {
            continue;
        }
        const Talk talk = begin(row, true);
        talk.peer->write("hello");
        auto bytes = talk.peer->sent();
        const std::size_t half = bytes.size() / 2;
        CHECK(pass(*talk.session, {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(half)}).empty());
        CHECK(talk.session->state() == SessionState::established);
        CHECK(pass(*talk.session, std::vector<std::uint8_t>(bytes.size() - half, 0x17)).empty());
        CHECK(talk.session->state() == SessionState::failed);
        CHECK(talk.session->fault() == Fault::record);
        talk.peer->receive(talk.session->output());
        CHECK(talk.peer->read().empty());
        CHECK(ERR_GET_REASON(ERR_peek_last_error()) == SSL_AD_REASON_OFFSET + SSL_AD_BAD_RECORD_MAC);
        ERR_clear_error();
        CHECK_FALSE(say(*talk.session, "more"));
    }
}

TEST_CASE("records: sizes at and over the limits") {
    CHECK(told(application_data, std::vector<std::uint8_t>(16384, 'x')) == Means::data);
    CHECK(told(application_data, std::vector<std::uint8_t>(16385, 'x')) == Means::failed);
    CHECK(told(application_data, std::vector<std::uint8_t>(16385, 'x'), false) == Means::failed);
    for (const unsigned size : {0U, 1U, 16U, 17U, 16384U + 257U, 65535U}) {
        Wire wire;
        wire.from_client = {23, 3, 3, static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)};
        wire.from_client.resize(kRecordHead + std::min<std::size_t>(size, 17), 0);
        CHECK(read_one(wire.server, wire.from_client, wire.from_server) == Means::failed);
        CHECK(wire.server.fault() == Fault::record);
    }
}

TEST_CASE("records: padding of TLS 1.3 is taken off, and is not all that there may be") {
    const HandOver keys = Wire::keys(true, Cipher::aes128_gcm, 0, Role::server);
    for (const std::size_t padding : {0U, 1U, 1000U}) {
        RecordCipher sealer(keys.read, true);
        Records records(Wire::keys(true, Cipher::aes128_gcm, 0, Role::server));
        // The type of a record of ours is its last byte: content, type, zeroes, and then what is the "type" 0.
        std::vector<std::uint8_t> inner = {'h', 'i'};
        if (padding != 0) {
            inner.push_back(application_data);
            inner.resize(inner.size() + padding - 1, 0);
        }
        Bytes wire;
        sealer.seal(padding != 0 ? static_cast<ContentType>(0) : application_data, inner, wire);
        Bytes out;
        std::string data;
        CHECK(read_one(records, wire, out, &data) == Means::data);
        CHECK(data == "hi");
    }
    CHECK(told(0, std::vector<std::uint8_t>(100, 0)) == Means::failed);
    const Talk talk = begin(kRows[0], true);
    SSL_set_block_padding(talk.peer->ssl(), 512);
    talk.peer->write("padded");
    CHECK(pass(*talk.session, talk.peer->sent()) == "padded");
}

TEST_CASE("records: what has no place after the handshake is refused") {
    CHECK(told(change_cipher_spec, {1}) == Means::failed);
    CHECK(told(24, {1, 2, 3}) == Means::failed);
    CHECK(told(handshake, {}) == Means::failed);
    CHECK(told(handshake, {24, 0, 0, 1, 0}) == Means::rekey);
    CHECK(told(handshake, {24, 0, 0, 1, 1}) == Means::rekey_and_answer);
    CHECK(told(handshake, {24, 0, 0, 1, 2}) == Means::failed);
    CHECK(told(handshake, {24, 0, 0, 2, 0, 0}) == Means::failed);
    CHECK(told(handshake, {24, 0, 0, 0}) == Means::failed);
    CHECK(told(handshake, {24, 0, 0, 1, 0, 24, 0, 0, 1, 0}) == Means::failed);  // the second would be under the old key
    CHECK(told(handshake, {1, 0, 0, 2, 3, 3}) == Means::failed);
    CHECK(told(handshake, {4, 0, 0, 1, 0}) == Means::failed);  // a server gets no tickets
    CHECK(told(handshake, {4, 0, 0, 1, 0}, true, Role::client) == Means::ticket);
    CHECK(told(handshake, {4, 0, 0, 1, 0, 4, 0, 0, 2, 0}, true, Role::client) == Means::ticket);
    CHECK(told(handshake, {4, 0x7f, 0, 0}, true, Role::client) == Means::failed);
    CHECK(told(handshake, {13, 0, 0, 1, 0}, true, Role::client) == Means::failed);
    CHECK(told(handshake, {0, 0, 0, 0}, false, Role::client) == Means::nothing);  // HelloRequest
    CHECK(told(handshake, {0, 0, 0, 0}, false, Role::server) == Means::failed);
    CHECK(told(handshake, {24, 0, 0, 1, 0}, false, Role::client) == Means::failed);
    CHECK(told(alert, {1, 0}) == Means::closed);
    CHECK(told(alert, {1, 90}) == Means::nothing);
    CHECK(told(alert, {1, 100}) == Means::failed);  // TLS 1.3 has no warnings
    CHECK(told(alert, {1, 100}, false) == Means::nothing);
    CHECK(told(alert, {2, 40}, false) == Means::failed);
    CHECK(told(alert, {2}) == Means::failed);
    CHECK(told(alert, {1, 0, 1, 0}) == Means::failed);
    // In the clear.
    for (const std::uint8_t type : {alert, handshake, change_cipher_spec}) {
        Wire wire;
        wire.from_client = {type, 3, 3, 0, 2, 1, 0};
        CHECK(read_one(wire.server, wire.from_client, wire.from_server) == Means::failed);
    }
}

TEST_CASE("records: a message in pieces is put together, and nothing comes between") {
    for (const bool between : {false, true}) {
        const HandOver keys = Wire::keys(true, Cipher::aes128_gcm, 0, Role::server);
        RecordCipher sealer(keys.read, true);
        Records records(Wire::keys(true, Cipher::aes128_gcm, 0, Role::server));
        Bytes wire;
        sealer.seal(handshake, std::vector<std::uint8_t>{24, 0, 0}, wire);
        if (between) {
            sealer.seal(application_data, std::vector<std::uint8_t>{1}, wire);
        } else {
            sealer.seal(handshake, std::vector<std::uint8_t>{1}, wire);
            sealer.seal(handshake, std::vector<std::uint8_t>{1}, wire);
            sealer.rekey();
            sealer.seal(application_data, std::vector<std::uint8_t>{'x'}, wire);
        }
        Bytes out;
        records.feed(wire);
        CHECK(records.next(out).means == Means::ticket);
        CHECK(records.next(out).means == (between ? Means::failed : Means::ticket));
        if (!between) {
            CHECK(records.next(out).means == Means::rekey_and_answer);
            CHECK(records.next(out).means == Means::data);
            CHECK(records.next(out).none);
        }
    }
}

TEST_CASE("records: a peer that sends on and on without data is cut off") {
    struct Case {
        ContentType type;
        std::vector<std::uint8_t> bytes;
    };
    for (const Case& one : std::initializer_list<Case>{{application_data, {}}, {alert, {1, 90}}, {handshake, {24, 0, 0, 1, 1}}}) {
        const HandOver keys = Wire::keys(true, Cipher::aes128_gcm, 0, Role::server);
        RecordCipher sealer(keys.read, true);
        Records records(Wire::keys(true, Cipher::aes128_gcm, 0, Role::server));
        int taken = 0;
        for (Means means = Means::nothing; means != Means::failed; ++taken) {
            REQUIRE(taken < 100);
            Bytes wire;
            sealer.seal(one.type, one.bytes, wire);
            if (one.type == handshake) {
                sealer.rekey();
            }
            Bytes out;
            means = read_one(records, wire, out);
        }
        CHECK(taken == 33);
    }
}

TEST_CASE("records: a client of TLS 1.2 that renegotiates hears that it may not") {
    const Talk talk = begin(kRows[4], true);
    SSL_renegotiate(talk.peer->ssl());
    talk.peer->handshake();
    pass(*talk.session, talk.peer->sent());
    CHECK(talk.session->state() == SessionState::failed);
    talk.peer->receive(talk.session->output());
    CHECK_FALSE(talk.peer->handshake());
    CHECK(ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_NO_RENEGOTIATION);
    ERR_clear_error();
}
