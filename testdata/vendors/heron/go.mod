module heron.example/gateway

go 1.26.0

require kestrel.example/scanner v1.3.0

require github.com/BurntSushi/toml v1.6.0 // indirect

replace kestrel.example/scanner => ../kestrel
