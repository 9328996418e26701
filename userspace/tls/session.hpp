// SPDX-License-Identifier: Apache-2.0
// One TLS connection, of a server or to a backend, as a transformer of bytes: ciphertext in, plaintext out, and the other way. It does no
// I/O: what is to be sent collects in output().
// OpenSSL makes the handshake. Then its keys are taken over and its object is freed: an idle connection holds two cipher contexts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/tls/handshake.hpp"
#include "userspace/tls/records.hpp"

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
    // To a backend: its hello is in output() after a first next().
    Session(std::shared_ptr<const BackendContext> backend, const Endpoint& to);
    Session(const Session&) = delete;
    ~Session();

    // More ciphertext. Only when next() gave nothing. It is decrypted in place: the memory must stay until release().
    void feed(std::span<std::uint8_t> ciphertext);
    // Goes on with the handshake, or gives the next piece of plaintext; empty: all is used up, see state().
    std::span<const std::uint8_t> next();
    // What next() gave so far is void.
    void release();

    // Encrypts into output(); the parts are used up. Only when established. False: failed.
    bool write(std::span<iovec> parts);
    bool write(std::span<const std::uint8_t> bytes);
    [[nodiscard]] bool may_write() const;
    // Says close_notify into output(), once; if the kernel writes, take_control() has it.
    void close();

    [[nodiscard]] Bytes& output() { return output_; }  // take or clear it after sending
    [[nodiscard]] SessionState state() const { return state_; }
    [[nodiscard]] Fault fault() const { return fault_; }                 // why it failed
    [[nodiscard]] const std::string& detail() const { return detail_; }  // "wrong version number"

    // ---- once established ---------------------------------------------------------------------------------------------------
    [[nodiscard]] const Facts& facts() const { return facts_; }
    [[nodiscard]] const PeerCertificate* peer() const { return facts_.peer.get(); }
    [[nodiscard]] std::string_view alpn() const { return facts_.alpn; }
    [[nodiscard]] bool resumed() const { return facts_.resumed; }
    // OpenSSL's object is gone, or there for a ticket only.
    [[nodiscard]] bool own_records() const { return records_.has_value(); }

    // ---- kTLS: see Records ------------------------------------------------------------------------------------------------------
    // False: the kernel does not take it. Reading: only if between_records().
    bool give_writing(int fd);
    bool give_reading(int fd);
    [[nodiscard]] bool kernel_writes() const { return records_ && records_->kernel_writes(); }
    [[nodiscard]] bool kernel_reads() const { return records_ && records_->kernel_reads(); }
    // How many bytes end the record that has begun; 0: none has.
    [[nodiscard]] std::size_t missing() const { return records_ ? records_->missing() : 0; }
    // All that was fed is used up, and another one could go on from here.
    [[nodiscard]] bool between_records() const;
    // What the kernel read, instead of feed() and next(); its data comes back.
    std::span<const std::uint8_t> take(std::uint8_t type, std::span<const std::uint8_t> bytes, int fd);
    // Why it reads no more. False: that is no matter of TLS.
    bool take_error(int error, int fd);
    [[nodiscard]] std::optional<Records::Control> take_control() { return records_ ? records_->take_control() : std::nullopt; }
    [[nodiscard]] bool update_due(std::size_t bytes) { return records_->update_due(bytes); }
    bool renew_writing(int fd);

private:
    void shake();
    std::span<const std::uint8_t> next_of_openssl();
    std::span<const std::uint8_t> next_record();
    void heed(PostHandshake::Means means);
    void fail(Fault fault, std::string detail);

    Bytes output_;
    std::unique_ptr<Handshake> handshake_;
    std::optional<Records> records_;
    std::span<std::uint8_t> input_;  // of the handshake, and of OpenSSL's record layer
    std::vector<Bytes> plaintext_;   // of OpenSSL's record layer, since the last release
    Facts facts_;
    std::string detail_;
    SessionState state_ = SessionState::handshake;
    Fault fault_ = Fault::none;
    bool close_said_ = false;
};

}  // namespace penstock::tls
