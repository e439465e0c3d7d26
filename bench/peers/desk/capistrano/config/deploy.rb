set :application, "peers"
set :deploy_to, "/home/stenvala/live/capistrano"
set :keep_releases, 3
set :local_user, "desk"
