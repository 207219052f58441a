terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" {
  type = string
}
variable "insights" {
  type = string
}
variable "image" {
  type = string
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  endpoints {
    ecs            = var.endpoint
    secretsmanager = var.endpoint
    ssm            = var.endpoint
  }
  default_tags {
    tags = { owner = "terraform" }
  }
}

resource "aws_ecs_account_setting_default" "insights" {
  name  = "containerInsights"
  value = var.insights
}

resource "aws_ecs_cluster" "main" {
  name = "from-terraform"
  tags = { insights = var.insights }
  setting {
    name  = "containerInsights"
    value = var.insights
  }
  configuration {
    execute_command_configuration {
      logging = "DEFAULT"
    }
  }
}

resource "aws_ecs_cluster_capacity_providers" "main" {
  cluster_name       = aws_ecs_cluster.main.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
  default_capacity_provider_strategy {
    base              = 1
    weight            = 100
    capacity_provider = "FARGATE"
  }
}

resource "aws_ecs_task_definition" "bridge" {
  family = "from-terraform-bridge"
  container_definitions = jsonencode([
    {
      name         = "web"
      image        = var.image
      cpu          = 10
      memory       = 64
      essential    = true
      portMappings = [{ containerPort = 80 }]
      environment  = [{ name = "B", value = "2" }, { name = "A", value = "1" }]
      mountPoints  = [{ sourceVolume = "scratch", containerPath = "/scratch" }]
      healthCheck  = { command = ["CMD-SHELL", "true"] }
    },
    { name = "side", image = var.image, memoryReservation = 32, essential = false, dependsOn = [{ containerName = "web", condition = "HEALTHY" }] },
  ])
  volume {
    name = "scratch"
  }
  placement_constraints {
    type       = "memberOf"
    expression = "attribute:ecs.os-type == linux"
  }
}

resource "aws_ecs_task_definition" "fargate" {
  family                   = "from-terraform-fargate"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = "arn:aws:iam::123456789012:role/execution"
  task_role_arn            = "arn:aws:iam::123456789012:role/task"
  container_definitions    = jsonencode([{ name = "app", image = var.image, portMappings = [{ containerPort = 80, hostPort = 80 }] }])
  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }
  ephemeral_storage {
    size_in_gib = 30
  }
}

data "aws_ecs_cluster" "main" {
  cluster_name = aws_ecs_cluster.main.name
}
data "aws_ecs_task_definition" "bridge" {
  task_definition = aws_ecs_task_definition.bridge.family
}

output "arns" {
  value = [data.aws_ecs_cluster.main.arn, data.aws_ecs_task_definition.bridge.arn]
}

resource "aws_ssm_parameter" "plain" {
  name        = "/from-terraform/plain"
  description = "Changes with the plan."
  type        = "String"
  value       = var.insights
}

resource "aws_ssm_parameter" "secure" {
  name  = "/from-terraform/secure"
  type  = "SecureString"
  value = "hunter2"
  tags  = { kind = "secret" }
}

resource "aws_secretsmanager_secret" "main" {
  name                    = "from-terraform"
  description             = "Made by Terraform."
  recovery_window_in_days = 0
  tags                    = { kind = "secret" }
}

resource "aws_secretsmanager_secret_version" "main" {
  secret_id     = aws_secretsmanager_secret.main.id
  secret_string = jsonencode({ user = "me", insights = var.insights })
}
