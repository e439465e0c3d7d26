server "server", user: "stenvala", roles: %w[app web]
