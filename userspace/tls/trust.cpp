// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/trust.hpp"

#include <openssl/pem.h>
#include <sys/stat.h>

#include <array>
#include <mutex>

#include "userspace/tls/openssl.hpp"

namespace penstock::tls {

namespace {

constexpr int kDepthMax = 8;
constexpr int kAnnouncedBytesMax = 8192;  // of names, in each CertificateRequest

std::shared_ptr<X509_STORE> new_store() {
    std::shared_ptr<X509_STORE> store(X509_STORE_new(), X509_STORE_free);
    if (store != nullptr) {
        X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
        X509_STORE_set_depth(store.get(), kDepthMax);
    }
    return store;
}

// Where distributions keep their bundle.
std::string system_file() {
    const char* named = ::secure_getenv(X509_get_default_cert_file_env());
    const std::array<const char*, 5> places = {named != nullptr ? named : "", "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                               "/etc/ssl/ca-bundle.pem", X509_get_default_cert_file()};
    for (const char* place : places) {
        if (place[0] != 0 && ::access(place, R_OK) == 0) {
            return place;
        }
    }
    return {};
}

struct SystemStore {
    std::mutex mutex;
    std::string file;
    timespec changed = {};
    std::weak_ptr<X509_STORE> store;  // goes when nobody verifies by it
};

}  // namespace

Result<Trust> Trust::of_bundle(std::string_view pem, const std::string& object) {
    Trust trust;
    trust.store_ = new_store();
    const BioPtr bio = reading(pem);
    std::size_t count = 0;
    ERR_clear_error();
    for (CertPtr ca(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr)); ca != nullptr; ca.reset(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr))) {
        if (X509_STORE_add_cert(trust.store_.get(), ca.get()) != 1) {
            return refused(object, "its CA certificate " + std::to_string(count) + " cannot be used");
        }
        ++count;
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        return refused(object, "its CA certificate " + std::to_string(count) + " cannot be read");
    }
    ERR_clear_error();
    if (count == 0) {
        return refused(object, "there is no CA certificate in it");
    }
    return trust;
}

Result<Trust> Trust::of_system(const std::string& object) {
    static SystemStore shared;
    const std::lock_guard lock(shared.mutex);
    const std::string file = system_file();
    struct stat facts = {};
    if (file.empty() || ::stat(file.c_str(), &facts) != 0) {
        return Error{.code = Errc::not_found, .what = object + ": this system has no CA certificates", .hint = "install the package ca-certificates, or give a bundle"};
    }
    Trust trust;
    trust.store_ = shared.store.lock();
    if (trust.store_ == nullptr || shared.file != file || shared.changed.tv_sec != facts.st_mtim.tv_sec || shared.changed.tv_nsec != facts.st_mtim.tv_nsec) {
        trust.store_ = new_store();
        if (X509_STORE_load_file(trust.store_.get(), file.c_str()) != 1) {
            return refused(object, "the system's CA certificates in " + file + " cannot be read");
        }
        shared.file = file;
        shared.changed = facts.st_mtim;
        shared.store = trust.store_;
    }
    ERR_clear_error();
    return trust;
}

void Trust::attach(ssl_ctx_st* context) const { SSL_CTX_set1_cert_store(context, store_.get()); }

void Trust::announce(ssl_ctx_st* context) const {
    STACK_OF(X509)* all = X509_STORE_get1_all_certs(store_.get());
    int bytes = 0;
    for (int i = 0; i < sk_X509_num(all); ++i) {
        bytes += i2d_X509_NAME(X509_get_subject_name(sk_X509_value(all, i)), nullptr);
    }
    for (int i = 0; bytes <= kAnnouncedBytesMax && i < sk_X509_num(all); ++i) {
        SSL_CTX_add_client_CA(context, sk_X509_value(all, i));
    }
    sk_X509_pop_free(all, X509_free);
}

}  // namespace penstock::tls
