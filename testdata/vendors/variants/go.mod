// The files here are laid over the module in ../kestrel; they build only there.
module kestrel.example/variants

go 1.26.0
