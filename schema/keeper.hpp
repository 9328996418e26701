// SPDX-License-Identifier: Apache-2.0
// Names that keeper, daemon and worker agree on besides the messages of keeper.fbs.
//
// `penstockd ARGS` without a keeper (kKeeperFdEnv is not set) becomes
//     penstock-keeper [kFlagWorkers N] [kFlagRing KIND] [kFlagKtls WISH] [kFlagWorkerUser NAME] [kFlagAccessLog FILE] [kFlagHandOver PATH] -- /path/of/penstockd ARGS
// found beside its own binary; the keeper starts the daemon and the workers with kKeeperFdEnv set. A worker's command line is
//     penstock-worker --slots N --ring KIND
#pragma once

#include <cstddef>
#include <cstdint>

namespace penstock::keeper {

// Of Hello. Keeper, daemon and workers are of one build; a keeper hands over to one of another, which must not depend on what these three say.
inline constexpr std::uint32_t kProtocolVersion = 2;
inline constexpr std::uint32_t kHandOverVersion = 1;

// What a Publish brings along at most: it is one message. More than that is put before.
inline constexpr std::size_t kBroughtMax = 64;
inline constexpr std::size_t kBroughtNamesMax = 32 * 1024;  // bytes
template <class It, class Size>
bool fit_one_publish(It begin, It end, const Size& size_of_name) {
    std::size_t count = 0;
    std::size_t bytes = 0;
    for (; begin != end; ++begin) {
        count += 1;
        bytes += size_of_name(*begin);
    }
    return count <= kBroughtMax && bytes <= kBroughtNamesMax;
}

inline constexpr const char* kRoleSuccessor = "successor";  // of Hello, from a keeper to the one before

// Decimal number of the inherited descriptor: one end of a seqpacket socket pair to the keeper.
inline constexpr const char* kKeeperFdEnv = "PENSTOCK_KEEPER_FD";

inline constexpr const char* kKeeperProgram = "penstock-keeper";
inline constexpr const char* kDaemonProgram = "penstockd";
inline constexpr const char* kWorkerProgram = "penstock-worker";

inline constexpr const char* kFlagWorkers = "--workers";          // threads of the worker = slots; 0: one per core
inline constexpr const char* kFlagRing = "--ring";                // auto, io_uring, epoll
inline constexpr const char* kFlagKtls = "--ktls";                // off, auto: whether the kernel may make TLS records
inline constexpr const char* kFlagWorkerUser = "--worker-user";   // default: penstock if that user exists, else nobody
inline constexpr const char* kFlagWorkerBinary = "--worker-binary";
inline constexpr const char* kFlagAccessLog = "--access-log";     // file to append to; without it, standard output
inline constexpr const char* kFlagHandOver = "--hand-over";       // Unix socket of the keeper before, and of this one
inline constexpr const char* kFlagDrainMs = "--drain-ms";         // how long a replaced or stopped worker may finish; 30000

// An exit code of the daemon before its first Hello that ends the keeper, too, with the same code: starting again cannot help.
inline constexpr int kExitUsage = 2;
inline constexpr int kExitFailed = 3;

}  // namespace penstock::keeper
