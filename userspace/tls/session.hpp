// SPDX-License-Identifier: Apache-2.0
// One TLS connection, of a server or to a backend, as a transformer of bytes: ciphertext in, plaintext out, and the other way. It does no
// I/O: what is to be sent collects in output(). OpenSSL reads straight from the caller's bytes and writes straight into the output buffer.
// After the handshake the record layer could move to the kernel (kTLS): established() is where that begins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/tls/backend.hpp"
#include "userspace/tls/fault.hpp"
#include "userspace/tls/peer.hpp"

struct ssl_st;
struct ssl_ctx_st;
struct bio_st;
struct bio_method_st;

namespace penstock::tls {

enum class SessionState : std::uint8_t {
    handshake,
    established,
    closed,  // the peer said close_notify (established before), nothing more will come
    failed   // see fault(); what is in output() (an alert) may be sent before closing
};

class Session {
public:
    // Of a server; the context is CertificateSet::choose's, and the set must outlive the handshake.
    explicit Session(ssl_ctx_st* context);
    // To a backend: its hello is in output() after a first feed({}).
    Session(std::shared_ptr<const BackendContext> backend, const Endpoint& to);
    Session(const Session&) = delete;
    ~Session();

    // Handshakes and decrypts: takes all of `ciphertext` and appends what it yields to `plaintext`.
    SessionState feed(std::span<const std::uint8_t> ciphertext, std::vector<std::uint8_t>& plaintext);
    // Encrypts into output(). Only when established. False: failed.
    bool write(std::span<const std::uint8_t> plaintext);
    // Says close_notify into output(), once.
    void close();

    [[nodiscard]] std::vector<std::uint8_t>& output() { return output_; }  // take or clear it after sending
    [[nodiscard]] SessionState state() const { return state_; }
    [[nodiscard]] Fault fault() const { return fault_; }                   // why it failed
    [[nodiscard]] const std::string& detail() const { return detail_; }    // "wrong version number"
    // The client's certificate, once established; null: none was sent.
    [[nodiscard]] const PeerCertificate* peer() const { return peer_.get(); }
    [[nodiscard]] std::string_view alpn() const;                           // "" if none
    [[nodiscard]] bool resumed() const;

    // For BackendContext: OpenSSL has a session that can be resumed.
    static int on_session(ssl_st* ssl, ssl_session_st* session);

private:
    static int read_bio(bio_st* bio, char* out, int size);
    static int write_bio(bio_st* bio, const char* in, int size);
    static long control_bio(bio_st* bio, int command, long number, void* pointer);
    static bio_method_st* method();
    void attach();
    void fail();
    void note_peer();

    ssl_st* ssl_ = nullptr;
    std::shared_ptr<const BackendContext> backend_;  // null: a server's
    Endpoint endpoint_;
    std::span<const std::uint8_t> input_;
    std::vector<std::uint8_t> output_;
    SessionState state_ = SessionState::handshake;
    Fault fault_ = Fault::none;
    std::string detail_;
    std::unique_ptr<const PeerCertificate> peer_;
    bool close_said_ = false;
};

}  // namespace penstock::tls
