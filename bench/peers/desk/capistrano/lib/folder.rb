require "capistrano/scm/plugin"

# The source is a folder: rsync brings it to shared/cached-copy, from where each release is copied.
class Folder < Capistrano::SCM::Plugin
  def register_hooks
    after "deploy:new_release_path", "folder:create_release"
    before "deploy:set_current_revision", "folder:set_current_revision"
  end

  def define_tasks
    namespace :folder do
      task :create_release do
        cache = shared_path.join("cached-copy")
        on release_roles(:all) do |host|
          run_locally { execute :rsync, "-a", "--delete", "#{ENV.fetch("TREE")}/", "#{host}:#{cache}/" }
          execute :cp, "-a", cache, release_path
        end
      end

      task :set_current_revision do
        set :current_revision, File.basename(File.dirname(ENV.fetch("TREE")))
      end
    end
  end
end
