# grepzilla/operator: one static binary and the root certificates; no shell, no root.
FROM scratch
COPY ca-certificates.crt /etc/ssl/certs/
COPY grepzilla-operator /
USER 65532:65532
ENTRYPOINT ["/grepzilla-operator"]
