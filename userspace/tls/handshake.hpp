// SPDX-License-Identifier: Apache-2.0
// A handshake by OpenSSL, without I/O, and what it leaves behind: the facts and the keys of both directions. Where the cipher is none of
// ours, OpenSSL's own record layer goes on.
#pragma once

#include <sys/uio.h>

#include <memory>
#include <optional>
#include <string>

#include "userspace/base/ip.hpp"
#include "userspace/tls/backend.hpp"
#include "userspace/tls/fault.hpp"
#include "userspace/tls/peer.hpp"
#include "userspace/tls/records.hpp"

struct bio_st;
struct bio_method_st;

namespace penstock::tls {

// What logs and routing want to know of an established connection.
struct Facts {
    std::uint16_t version = 0;                    // 0x0303, 0x0304
    const char* cipher = "";                      // IANA's name
    bool resumed = false;
    std::string alpn;                             // "": none
    std::unique_ptr<const PeerCertificate> peer;  // a client's; null: none was sent
};

class Handshake {
public:
    // All that is to be sent is appended to `output`, which must outlive this.
    Handshake(ssl_ctx_st* context, Bytes& output);
    Handshake(std::shared_ptr<const BackendContext> backend, const Endpoint& to, Bytes& output);
    Handshake(const Handshake&) = delete;
    ~Handshake();

    enum class Step : std::uint8_t { more, done, failed };
    // Takes what it needs off the input; what is left when it is done are records.
    Step step(std::span<std::uint8_t>& input);
    [[nodiscard]] Fault fault() const { return fault_; }
    [[nodiscard]] const std::string& detail() const { return detail_; }

    // ---- once it is done -----------------------------------------------------------------------------------------------------
    [[nodiscard]] Facts facts() const;
    // The keys; none: go on with read(), write() and close().
    [[nodiscard]] std::optional<HandOver> hand_over();
    // For a session that is to be resumed: a ticket's record, in the order in which records came. False: no use in giving more.
    bool take_ticket(std::span<std::uint8_t> record);

    // ---- OpenSSL's record layer ----------------------------------------------------------------------------------------------
    enum class Read : std::uint8_t { data, more, closed, failed };
    Read read(std::span<std::uint8_t>& input, Bytes& plaintext);
    bool write(std::span<const iovec> parts);
    void close();

    // Callbacks of contexts: a secret for hand_over(), a session for the backend's context.
    static void on_secret(const ssl_st* ssl, const char* line);
    static int on_session(ssl_st* ssl, ssl_session_st* session);

private:
    static int read_bio(bio_st* bio, char* out, int size);
    static int write_bio(bio_st* bio, const char* in, int size);
    static long control_bio(bio_st* bio, int command, long number, void* pointer);
    static bio_method_st* method();
    void attach();
    void fail(bool shaking);
    bool write_all(const std::uint8_t* bytes, std::size_t size);
    [[nodiscard]] std::uint64_t records_since(std::size_t offset) const;
    [[nodiscard]] std::optional<HandOver> collect_keys() const;
    bool hand_over_13(HandOver& to) const;
    bool hand_over_12(HandOver& to) const;

    ssl_st* ssl_;
    Bytes& output_;
    std::span<std::uint8_t> input_;
    std::shared_ptr<const BackendContext> backend_;  // null: a server's
    Endpoint endpoint_;
    Secret client_secret_, server_secret_;           // traffic secrets of TLS 1.3
    std::uint64_t sealed_ = 0;                       // records of ours under the final keys
    bool done_ = false;
    Fault fault_ = Fault::none;
    std::string detail_;
};

}  // namespace penstock::tls
